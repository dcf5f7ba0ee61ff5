"""The training process: ``python -m dqa.taste.heavy.train``.

One line of JSON on stdin says what to do (:class:`~dqa.taste.heavy.config.TrainingRequest`); lines of JSON on stdout
say how far it is and, last, how it ended. Stdin's end or SIGTERM ends the process at once: all it ever writes lies in
its private scratch folder, and publishing is somebody else's.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ValidationError

from dqa.errors import DQAError
from dqa.models.exhausted import ran_out
from dqa.taste.heavy.config import Failed, TrainingRequest

Tell = Callable[[BaseModel], None]

ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
    "DO_NOT_TRACK": "1",
    "WANDB_DISABLED": "true",
    "TOKENIZERS_PARALLELISM": "false",
}
"""No network, no telemetry, no bars; read by the libraries when they are imported."""

_LONGEST = 200
"""Characters of an error's message that are told."""


def main() -> int:
    """Entry point of the child process."""
    tell = _own_stdout()
    line = sys.stdin.buffer.readline()
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        request = TrainingRequest.model_validate_json(line)
    except ValidationError as error:
        tell(Failed(what=f"not a request ({error.errors()[0]['msg']})", fix="see dqa.taste.heavy.config"))
        return 2
    if os.getppid() != request.parent:
        return 0  # whoever wanted this is gone already
    return run(request, tell)


def run(request: TrainingRequest, tell: Tell) -> int:
    """Trains, and tells how it ended; the exit code."""
    scratch = Path(request.scratch)
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ.update(ENVIRONMENT, HF_DATASETS_CACHE=str(scratch / "datasets"))
    try:
        from dqa.taste.heavy.dpo import train

        tell(train(request, tell))
        return 0
    except ModuleNotFoundError as error:
        fix = "pip install 'dqa[embedded,training]'"
        tell(Failed(what=f"the Python package {error.name} is not installed", fix=fix))
        return 4
    except DQAError as error:
        tell(Failed(what=error.what, fix=error.fix))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - who asked for the training is told more than that it ended
        traceback.print_exc()
        tell(_failed(error))
        return 4


def _failed(error: Exception) -> Failed:
    if ran_out(error):
        return Failed(what="training needs more memory than there is", fix="use a smaller DQA_TASTE_MODEL")
    said = next(iter(str(error).splitlines()), "").strip()[:_LONGEST]
    what = f"the training failed with {type(error).__name__}{f' ({said})' if said else ''}"
    return Failed(what=what, fix="train again with dqa tuner train; if it stays so, report it")


def _own_stdout() -> Tell:
    """Keeps stdout for our lines; what a library prints goes to stderr."""
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def tell(message: BaseModel) -> None:
        pipe.write(message.model_dump_json().encode() + b"\n")

    return tell


def _end_with_stdin() -> None:
    while sys.stdin.buffer.readline():
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())

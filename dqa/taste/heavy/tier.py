"""The parent's side of a training: runs the process, hears it, decides whether what it made may serve.

Knows nothing of the store: :mod:`dqa.training` brings the choices and keeps what comes out.
"""

from __future__ import annotations

import contextlib
import math
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any

import structlog
from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from dqa.errors import Cancelled, UnavailableError, WorkerDied
from dqa.taste.heavy.config import Failed, Finished, Progress, TrainingRequest
from dqa.taste.heavy.pairs import Split
from dqa.taste.heavy.rendering import RENDERING_VERSION
from dqa.taste.heavy.train import ENVIRONMENT
from dqa.taste.style import Style

log = structlog.get_logger(__name__)

_LOOK_S = 0.25
_LONGEST_LINE = 16 << 20
"""The last line holds a reward for each clip that was scored."""

_message: TypeAdapter[Progress | Finished | Failed] = TypeAdapter(
    Annotated[Progress | Finished | Failed, Field(discriminator="event")]
)
_ENDED = b""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an adapter comes to serve, and why or why not, in words."""

    promoted: bool
    reason: str


def run_process(
    request: TrainingRequest,
    told: Callable[[Progress], None],
    stopping: Callable[[], bool],
    inherited: Sequence[int] = (),
) -> Finished:
    """Trains in a process of its own, and waits for it.

    Args:
        request: what to train on.
        told: hears how far it is.
        stopping: asked several times a second; True ends the process at once.
        inherited: file descriptors it keeps open: the lock on the device.

    Raises:
        Cancelled: ``stopping`` said so.
        UnavailableError: the process can't train here (a package or model is missing, too little memory).
        WorkerDied: it ended without a word.
    """
    scratch = Path(request.scratch)
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (scratch / "log").open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "dqa.taste.heavy.train"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(),
            start_new_session=True,
            pass_fds=tuple(inherited),
        )
    try:
        return _hear(process, request, told, stopping)
    finally:
        _end(process)


def decide(finished: Finished) -> Decision:
    """The gate: better than knowing nothing, and better than what serves, on pairs neither was trained on.

    An adapter that has learned nothing has a loss of log 2 exactly.
    """
    loss = finished.loss
    if loss is None or not math.isfinite(loss) or finished.best_step is None:
        return Decision(False, f"nothing to judge: {finished.stopped or 'no held-out loss was finite'}")
    if loss >= math.log(2):
        return Decision(False, f"held-out loss {loss:.3f}, and guessing has {math.log(2):.3f}")
    if finished.compared is not None:
        new, serving, pairs = finished.compared
        if not new < serving:
            return Decision(
                False, f"held-out loss {new:.3f} on {pairs} pairs, and the serving adapter has {serving:.3f}"
            )
        return Decision(True, f"held-out loss {new:.3f} on {pairs} pairs, where the serving adapter has {serving:.3f}")
    return Decision(True, f"held-out loss {loss:.3f}, where guessing has {math.log(2):.3f}")


def metadata(
    request: TrainingRequest, parts: Split, style: Style, finished: Finished, decision: Decision
) -> dict[str, JsonValue]:
    """What is published with an adapter: how it was made, from which choices, and how it fared. No text of a user's but
    the style that its prompts are rendered with."""
    sides = {"train": parts.train, "held_out": parts.held_out}
    told: dict[str, Any] = {
        "schema": "dqa.adapter/1",
        "rendering": RENDERING_VERSION,
        "style": style.model_dump(mode="json"),
        "config": request.config.model_dump(mode="json", exclude={"base"}),
        "base": finished.base,
        "steps": finished.steps,
        "best_step": finished.best_step,
        "stopped": finished.stopped,
        "loss": finished.loss,
        "accuracy": finished.accuracy,
        "temperature": finished.temperature,
        "compared": finished.compared,
        "gate": decision.reason,
        "split": {name: [[p.chosen.id, p.rejected.id, p.seq] for p in pairs] for name, pairs in sides.items()},
        "trained_videos": sorted({clip.video for p in parts.train for clip in (p.chosen, p.rejected)}),
    }
    return told


def _environment() -> dict[str, str]:
    """Ours, less the service's token, with one GPU, and with the libraries told to stay off the network."""
    kept = {name: value for name, value in os.environ.items() if name != "DQA_TOKEN"}
    alone = {"CUDA_VISIBLE_DEVICES": _first(kept.get("CUDA_VISIBLE_DEVICES"))}
    return {**kept, "OMP_NUM_THREADS": kept.get("OMP_NUM_THREADS", "1"), **alone, **ENVIRONMENT}


def _first(visible: str | None) -> str:
    """The first of the devices that CUDA shows, by number or UUID; empty where all are hidden.

    The model lies whole on that one. With more in sight Transformers would put a copy on each, which TRL refuses.
    """
    return "0" if visible is None else visible.partition(",")[0].strip()


def _hear(
    process: subprocess.Popen[bytes],
    request: TrainingRequest,
    told: Callable[[Progress], None],
    stopping: Callable[[], bool],
) -> Finished:
    lines: queue.Queue[bytes] = queue.Queue()
    assert process.stdin is not None  # noqa: S101 - asked for by whoever started it
    assert process.stdout is not None  # noqa: S101
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(request.model_dump_json().encode() + b"\n")
        process.stdin.flush()
    while True:
        if stopping():
            raise Cancelled("the training was cancelled", fix="start it again with dqa tuner train")
        with contextlib.suppress(queue.Empty):
            line = lines.get(timeout=_LOOK_S)
            if line == _ENDED:
                raise WorkerDied("the training process ended before it was done", fix="see its log, or train again")
            message = _parsed(line)
            if isinstance(message, Finished):
                return message
            if isinstance(message, Failed):
                raise UnavailableError(message.what, fix=message.fix)
            told(message)


def _parsed(line: bytes) -> Progress | Finished | Failed:
    try:
        return _message.validate_json(line)
    except ValidationError:
        raise WorkerDied("the training process said something it should not", fix="see its log") from None


def _read(pipe: IO[bytes], lines: queue.Queue[bytes]) -> None:
    with pipe:
        while line := pipe.readline(_LONGEST_LINE):
            lines.put(line)
    lines.put(_ENDED)


def _end(process: subprocess.Popen[Any]) -> None:
    """Ends the process and everything it started; it has nothing to lose but its scratch."""
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

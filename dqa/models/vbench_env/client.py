"""Asks the runner in the ``vbench`` environment: one process, JSON lines, and an end to every wait."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from dqa.errors import ModelUnavailable, TookTooLong, UnavailableError
from dqa.models.vbench_env.environment import VBenchEnvironment

RUNNER = Path(__file__).with_name("runner.py")
HELLO_S = 120.0
"""Longest the runner may take to import vbench: 4 s of CPU time were measured."""

_LONGEST_LINE = 2**16
_PASSED_ON = ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "PATH", "LANG")
"""All that the process gets of our environment, which holds tokens and keys."""


class VBenchError(UnavailableError):
    """VBench could not judge a dimension, in its own words."""


class Hello(BaseModel):
    """What the environment is made of."""

    model_config = ConfigDict(extra="forbid")

    python: str
    versions: dict[str, str]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    dimension: str
    value: float | None = None
    error: str | None = None


class VBenchRunner:
    """VBench's own functions, in its own environment. The process starts on the first question and stays.

    Args:
        environment: where it lies.
        device: ``cpu`` or ``cuda``.
        timeout_s: longest that one dimension of one clip may take.
    """

    def __init__(self, environment: VBenchEnvironment, *, device: str = "cpu", timeout_s: float = 600.0) -> None:
        self._environment = environment
        self._device = device
        self._timeout_s = timeout_s
        self._process: _Process | None = None

    def hello(self) -> Hello:
        """Imports vbench there, and says which versions it found.

        Raises:
            ModelUnavailable: the environment is not there, or does not work.
        """
        reply = self._asked({"op": "hello"}, HELLO_S)
        try:
            return Hello.model_validate(reply)
        except ValidationError:
            told = str(reply.get("error", "an answer out of form"))[:300]
            raise ModelUnavailable(
                f"the environment of the vbench package does not work ({told})",
                fix="run dqa models vbench-env --remove, then dqa models vbench-env",
            ) from None

    def measure(self, video: Path, dimension: str, prompt: str = "") -> float:
        """VBench's number for one dimension of one clip, on VBench's own scale.

        Raises:
            ModelUnavailable: the environment is not there.
            TookTooLong: it took longer than ``timeout_s``; the process and all it started is ended.
            VBenchError: VBench failed, or answered out of form.
        """
        with tempfile.TemporaryDirectory(prefix="dqa-vbench-") as folder:
            # VBench goes by the name's ending, and some dimensions read the name: it gets a plain one.
            clip = Path(folder) / "clip.mp4"
            clip.symlink_to(video.absolute())
            request = {
                "op": "measure",
                "video": str(clip),
                "dimension": dimension,
                "weights": str(self._environment.weights),
                "device": self._device,
                "prompt": prompt,
            }
            try:
                return _number(self._asked(request, self._timeout_s), dimension)
            except VBenchError as error:  # VBench names files, which are nobody's business but the operator's
                what = error.what.replace(folder, "").replace(str(self._environment.home), "")
                raise VBenchError(what, fix=error.fix) from None

    def close(self) -> None:
        """Ends the process, if there is one."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def _asked(self, request: Mapping[str, object], patience_s: float) -> dict[str, Any]:
        self._environment.require()
        if self._process is None:
            self._process = _Process(self._environment)
        try:
            return self._process.ask(request, patience_s)
        except UnavailableError:
            self.close()  # whatever it is still doing, its next line would be the wrong answer
            raise


class _Process:
    """One run of the runner, leader of a process group of its own."""

    def __init__(self, environment: VBenchEnvironment) -> None:
        environment.log.parent.mkdir(parents=True, exist_ok=True)
        with environment.log.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the environment's own Python and our own file
                [str(environment.python), "-s", "-P", str(RUNNER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                env=_variables(environment),
                start_new_session=True,
            )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=_read, args=(self._process.stdout, self._lines), daemon=True).start()
        self.end = weakref.finalize(self, _end, self._process)

    def ask(self, request: Mapping[str, object], patience_s: float) -> dict[str, Any]:
        """One request, one answer."""
        pipe = self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # the empty line below says so
            if pipe is not None:
                pipe.write(json.dumps(request).encode() + b"\n")
                pipe.flush()
        try:
            line = self._lines.get(timeout=patience_s)
        except queue.Empty:
            what = str(request.get("dimension", "the vbench package"))
            raise TookTooLong(
                f"{what} took longer than {patience_s:g} s and was ended", fix="allow more time, or use a GPU"
            ) from None
        if not line.endswith(b"\n"):
            raise VBenchError("the vbench process ended, or said too much", fix="see logs/vbench-env.log")
        try:
            reply = json.loads(line)
        except (ValueError, RecursionError):
            reply = None
        if not isinstance(reply, dict):
            raise VBenchError("the vbench process answered out of form", fix="see logs/vbench-env.log")
        return reply


def _number(reply: dict[str, Any], dimension: str) -> float:
    try:
        answer = _Answer.model_validate(reply)
    except ValidationError:
        raise VBenchError(f"{dimension}: an answer out of form", fix="see logs/vbench-env.log") from None
    if answer.dimension != dimension or (answer.value is None) == (answer.error is None):
        raise VBenchError(f"{dimension}: an answer out of form", fix="see logs/vbench-env.log")
    if answer.value is None:
        raise VBenchError(f"VBench says: {answer.error}"[:400], fix="see logs/vbench-env.log")
    return answer.value


def _read(pipe: IO[bytes] | None, lines: queue.SimpleQueue[bytes]) -> None:
    """Lines as they come; at the end, or at one that never ends, one without its newline."""
    while pipe is not None:
        line = pipe.readline(_LONGEST_LINE)
        lines.put(line)
        if not line.endswith(b"\n"):
            pipe.close()
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _variables(environment: VBenchEnvironment) -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {
        **passed_on,
        "HOME": str(environment.home),
        "VBENCH_CACHE_DIR": str(environment.weights),
        "TORCH_HOME": str(environment.weights / "torch"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }

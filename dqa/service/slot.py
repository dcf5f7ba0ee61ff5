"""One place for a worker process: starts it, hears it, and starts the next one when it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

import structlog
from pydantic import JsonValue

from dqa.config import Settings
from dqa.errors import DQAError, WorkerDied
from dqa.service.lineage import identity
from dqa.service.messages import MAX_LINE, LoadFailed, Ran, Ready, WorkerConfig, parse_upward
from dqa.service.metrics import Metrics
from dqa.service.problems import problem_of
from dqa.store import Store

log = structlog.get_logger(__name__)

DIED = problem_of(
    WorkerDied("the process that evaluated ended before it was done, twice", fix="try a smaller clip, or see the log")
)
_LONGEST_PAUSE_S = 30.0
_HOPELESS = 3
"""Failed starts in a row after which waiting jobs are ended with the reason."""


class WorkerSlot(threading.Thread):
    """Keeps one worker alive until stopped.

    The thread lives as long as its workers do: the kernel ends a child when the *thread* that made it ends.
    """

    def __init__(self, number: int, settings: Settings, evaluator: str, store: Store, metrics: Metrics) -> None:
        super().__init__(name=f"worker-{number}", daemon=True)
        self.ready = False
        self.fault: dict[str, JsonValue] | None = None
        self.owner = ""
        self._number = str(number)
        self._settings = settings
        self._evaluator = evaluator
        self._store = store
        self._metrics = metrics
        self._stopping = threading.Event()
        self._alive = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._failures = 0

    def run(self) -> None:
        """The thread: one worker after the other."""
        while not self._stopping.is_set():
            self._one_life()
            if not self._stopping.is_set():
                self._metrics.restarts.inc()
                self._stopping.wait(min(_LONGEST_PAUSE_S, 0.5 * 2**self._failures) if self._failures else 0)

    def stop(self) -> None:
        """Tells the worker to end, at once; its job goes back into the queue."""
        self._stopping.set()
        with self._alive:
            if self._process is not None and self._process.stdin is not None:
                with contextlib.suppress(OSError):
                    self._process.stdin.close()

    def kill(self, owner: str | None = None) -> None:
        """Ends the worker (of that name) and everything it started, now."""
        with self._alive:
            if self._process is not None and owner in (None, self.owner):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def _one_life(self) -> None:
        process = self._spawn()
        self.owner = identity(process.pid)
        with self._alive:
            self._process = process
        reader = threading.Thread(target=self._listen, args=(process,), daemon=True)
        reader.start()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        was_ready = self.ready
        self.ready = False
        self._bury(process)
        reader.join(timeout=1)
        self._account(process.returncode, was_ready)

    def _spawn(self) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if name != "DQA_TOKEN"}
        environment.setdefault("OMP_NUM_THREADS", "1")  # more are slower on small machines, and unfair on large ones
        process = subprocess.Popen(
            [sys.executable, "-m", "dqa.service.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        config = WorkerConfig.of(self._settings, self._evaluator, os.getpid())
        with contextlib.suppress(BrokenPipeError):
            assert process.stdin is not None  # noqa: S101 - asked for above
            process.stdin.write(config.model_dump_json().encode() + b"\n")
            process.stdin.flush()
        return process

    def _bury(self, process: subprocess.Popen[bytes]) -> None:
        """Ends what the worker left running, and forgets it. Its number can't be another's until it is waited for."""
        self.kill()
        with self._alive:
            self._process = None
            process.wait()
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()

    def _account(self, code: int, was_ready: bool) -> None:
        """Gives the worker's job back, and decides whether there is hope for the next worker."""
        stopped = self._stopping.is_set()
        try:
            returned = self._store.jobs.release(self.owner, DIED, blameless=stopped)
        except DQAError as error:  # the watch tries again: the owner is gone for good
            log.warning("job not given back", error=error.sentence())
            returned = []
        if stopped:
            return
        log.warning("worker ended", worker=self._number, code=code, jobs=returned)
        self._failures = 0 if was_ready else self._failures + 1
        if self._failures >= _HOPELESS:
            self.fault = self.fault or DIED
            with contextlib.suppress(DQAError):
                self._store.jobs.fail_queued(self.fault)

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 - asked for in _spawn
        with process.stdout as pipe:
            while line := pipe.readline(MAX_LINE + 1):
                try:
                    self._hear(parse_upward(line))
                except ValueError:
                    log.warning("a worker said something it should not; it is replaced", worker=self._number)
                    self.kill()
                    return

    def _hear(self, message: Ready | LoadFailed | Ran) -> None:
        if isinstance(message, LoadFailed):
            self.fault = message.problem
            return
        self._metrics.peak_rss.labels(self._number).set(message.peak_rss_bytes)
        if isinstance(message, Ready):
            self.ready, self.fault, self._failures = True, None, 0
        else:
            self._metrics.seconds.observe(message.seconds)
            for channel, held in message.memory.items():
                for kind, amount in held:
                    self._metrics.memory.labels(channel, kind).set(amount)

"""Keeps a deployment running: starts its processes in order, watches them, starts again what ends.

A thread a process. One that ends or stops answering is started again after 1, 2, 4 ... 60 seconds; one that was
well for a minute begins at 1 again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from dqa.agenthost.runtime import processes
from dqa.agenthost.runtime.locks import FileLock
from dqa.agenthost.runtime.plan import Plan
from dqa.agenthost.runtime.processes import ProcessId, identify
from dqa.agenthost.runtime.services import Service, services_of
from dqa.agenthost.runtime.state import Phase, ProcessState, write_state
from dqa.errors import DQAError

ALREADY_RUNNING = 3
_TICK_S = 0.25
_CHECK_EVERY_S = 5.0
_MISSES = 6
_LONGEST_BACKOFF_S = 60.0
_LOG_BYTES = 10_000_000


class Board:
    """The state, shared by the watchers, written down at each change."""

    def __init__(self, plan: Plan, names: list[str]) -> None:
        self._state = plan.state
        self._path = plan.layout.state_file
        self._lock = threading.Lock()
        for name in names:
            self._state.processes[name] = ProcessState(name=name, log=str(plan.layout.log(name)))
        write_state(self._path, self._state)
        self._written = True

    def note(self, name: str, phase: Phase, detail: str = "", process: ProcessId | None = None) -> None:
        """Writes down how the process ``name`` is."""
        with self._lock:
            entry = self._state.processes[name]
            entry.restarts += phase == "restarting"
            entry.phase, entry.detail, entry.process = phase, detail, process
            self._written = False
        self.write_down()

    def write_down(self) -> None:
        """Writes the state, unless it is written; a full disk ends no watching, and is tried again."""
        with self._lock, contextlib.suppress(OSError):
            if not self._written:
                write_state(self._path, self._state)
                self._written = True

    def healthy(self, names: tuple[str, ...]) -> bool:
        """Whether all of them are."""
        with self._lock:
            return all(self._state.processes[name].phase == "healthy" for name in names)

    def erase(self) -> None:
        """Takes the state away: nothing runs any more."""
        with self._lock:
            self._path.unlink(missing_ok=True)


class Watcher:
    """Keeps one service running until told to stop; then it lets go of it, still running."""

    def __init__(self, service: Service, board: Board, stopping: threading.Event, plan: Plan) -> None:
        self._service = service
        self._board = board
        self._stopping = stopping
        self._marker = plan.layout.marker
        self._patience_s = plan.patience_s
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """The thread."""
        failures = 0
        while not self._stopping.is_set():
            if not self._board.healthy(self._service.needs):
                self._stopping.wait(_TICK_S)
                continue
            began = time.monotonic()
            why = self._once()
            if self._stopping.is_set():
                return
            failures = 0 if time.monotonic() - began > _LONGEST_BACKOFF_S else failures + 1
            delay = min(_LONGEST_BACKOFF_S, 2.0 ** max(failures - 1, 0))
            self._say(f"{why}; starting it again in {delay:.0f} s")
            self._board.note(self._service.name, "restarting", why)
            self._stopping.wait(delay)

    def _once(self) -> str:
        """Runs the service until it ends; returns why."""
        self._board.note(self._service.name, "starting")
        try:
            process = self._process = self._service.start()
        except DQAError as error:
            return error.sentence()
        except (OSError, subprocess.SubprocessError) as error:
            return f"could not be started ({error})"
        why = self._watch(process)
        if not self._stopping.is_set():
            processes.kill(processes.session(self._marker, process.pid))
        return why

    def _watch(self, process: subprocess.Popen[bytes]) -> str:
        known = identify(process.pid)
        self._board.note(self._service.name, "starting", process=known)
        deadline = time.monotonic() + self._patience_s
        next_check, misses, well = 0.0, 0, False
        while not self._stopping.is_set():
            if process.poll() is not None:
                return f"ended by itself ({_ending(process.returncode)})"
            if time.monotonic() >= next_check:
                if self._service.healthy():
                    misses = 0
                    if not well:
                        self._board.note(self._service.name, "healthy", process=known)
                    well = True
                else:
                    misses += 1
                if (well and misses >= _MISSES) or (not well and time.monotonic() > deadline):
                    self._end(process, known)
                    return "no longer answered" if well else f"was not ready after {self._patience_s:.0f} s"
                next_check = time.monotonic() + (_CHECK_EVERY_S if well else 4 * _TICK_S)
            self._stopping.wait(_TICK_S)
        return "stopped"

    def _end(self, process: subprocess.Popen[bytes], known: ProcessId | None) -> None:
        if known is not None:
            processes.stop(known, ask=self._service.ask)
        process.wait()

    def end(self) -> None:
        """Ends the service, after :meth:`run` has returned or will start nothing more."""
        if self._process is None:
            return
        known = identify(self._process.pid)
        if self._process.poll() is None:
            self._end(self._process, known)
        self._board.note(self._service.name, "stopped")

    def _say(self, text: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with contextlib.suppress(OSError):  # a full disk
            sys.stderr.write(f"{stamp} {self._service.name}: {text}\n")
            sys.stderr.flush()


def supervise(plan: Plan) -> int:
    """Runs the deployment until SIGTERM or SIGINT; returns the exit code."""
    lock = FileLock(plan.layout.supervisor_lock)
    if not lock.try_acquire():
        return ALREADY_RUNNING
    stopping = threading.Event()
    _stop_on_signal(stopping)
    plan.state.supervisor = identify(os.getpid()) or plan.state.supervisor
    listed = services_of(plan)
    board = Board(plan, [service.name for service in listed])
    watchers = [Watcher(service, board, stopping, plan) for service in listed]
    threads = [threading.Thread(target=watcher.run, daemon=True) for watcher in watchers]
    for thread in threads:
        thread.start()
    while not stopping.wait(_CHECK_EVERY_S):
        trim_all(plan.home / "logs")
        board.write_down()
    _stop_all(watchers, threads, plan, board)
    return 0


def _stop_on_signal(stopping: threading.Event) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the terminal of dqa up may close


def _stop_all(watchers: list[Watcher], threads: list[threading.Thread], plan: Plan, board: Board) -> None:
    for watcher in reversed(watchers):
        watcher.end()
    # A watcher may be in the middle of a preparation, such as a migration: its program is ended here.
    processes.kill(processes.marked(plan.layout.marker))
    for thread in threads:
        thread.join(timeout=5.0)
    for watcher in reversed(watchers):
        watcher.end()
    if not processes.kill(processes.marked(plan.layout.marker)):
        board.erase()


def trim_all(folder: Path, limit: int = _LOG_BYTES) -> None:
    """:func:`trim` for every log. One that went, or has no room for its copy, is left until the next time."""
    for path in folder.glob("*.log"):
        with contextlib.suppress(OSError):
            trim(path, limit)


def trim(path: Path, limit: int = _LOG_BYTES) -> None:
    """Moves a log that is over ``limit`` bytes to ``NAME.log.1`` and empties it; its writer appends, and goes on."""
    if path.stat().st_size <= limit:
        return
    with path.open("rb+") as stream:
        path.with_name(f"{path.name}.1").write_bytes(stream.read())
        stream.truncate(0)


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"

"""Processes: starting them, knowing them again, ending them with all their children.

A process is known by its number and start time, so that a number used again by a stranger is never taken for ours,
or by the marker that everything of a deployment carries in its environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import psutil
from pydantic import BaseModel, ConfigDict

from dqa.agenthost.runtime.identity import Identity

MARKER_VARIABLE = "DEPLOYMENT_OF_DQA"  # not DQA_*: that would be a setting
_SAME_START_S = 1.5  # the system's boot time, from which start times are counted, may be corrected by a second


class ProcessId(BaseModel):
    """A process, told apart from a later one with the same number."""

    model_config = ConfigDict(frozen=True)

    pid: int
    started: float


def identify(pid: int) -> ProcessId | None:
    """The process that has the number ``pid`` now."""
    try:
        return ProcessId(pid=pid, started=psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def find(known: ProcessId) -> psutil.Process | None:
    """The process ``known``, if it still lives."""
    try:
        process = psutil.Process(known.pid)
        same = abs(process.create_time() - known.started) < _SAME_START_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def start(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    log: Path,
    identity: Identity | None = None,
    folder: Path | None = None,
    stdin: bytes | None = None,
) -> subprocess.Popen[bytes]:
    """Starts ``command`` in a session of its own, its output going to ``log``.

    ``stdin`` is handed over and closed: what stands there is seen in no process list and no environment.
    """
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
            umask=0o077,
            **as_user(identity),
        )
    finally:
        os.close(handle)
    if stdin is not None and process.stdin is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(stdin)
    return process


class _AsUser(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def as_user(identity: Identity | None) -> _AsUser:
    """Arguments of subprocess that run a command as ``identity``."""
    return {} if identity is None else {"user": identity.uid, "group": identity.gid, "extra_groups": []}


def stop(known: ProcessId, *, ask: signal.Signals = signal.SIGTERM, patience_s: float = 10.0) -> None:
    """Asks the process to end, waits, then ends it and everything it started that is left."""
    leader = find(known)
    if leader is None:
        return
    members = with_children([leader]) | _session_of(leader.pid)
    with contextlib.suppress(psutil.Error):
        leader.send_signal(ask)
    gone_by(time.monotonic() + patience_s, [leader])
    kill(members)


def kill(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Ends ``processes`` at once; returns those that could not be ended."""
    listed = list(processes)
    for process in listed:
        with contextlib.suppress(psutil.Error):
            process.kill()
    return gone_by(time.monotonic() + 5.0, listed)


def gone_by(deadline: float, processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Waits until all have ended; returns those that have not. A zombie of another parent has ended."""
    left = list(processes)
    while left := [p for p in left if _lives(p)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return left


def with_children(processes: Iterable[psutil.Process]) -> set[psutil.Process]:
    """``processes`` and all that descend from them."""
    found: set[psutil.Process] = set()
    for process in processes:
        found.add(process)
        with contextlib.suppress(psutil.Error):
            found.update(process.children(recursive=True))
    return found


def marked(marker: str) -> set[psutil.Process]:
    """Every process that carries ``marker``, but for this one and those it descends from."""
    own = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    found: set[psutil.Process] = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            carries = process.pid not in own and process.environ().get(MARKER_VARIABLE) == marker
            if carries and _lives(process):
                found.add(process)
    return found


def session(marker: str, leader: int) -> set[psutil.Process]:
    """What carries ``marker`` and is left of the session that ``leader``, ended now, led."""
    found: set[psutil.Process] = set()
    for process in marked(marker):
        with contextlib.suppress(OSError):
            if os.getsid(process.pid) == leader:
                found.add(process)
    return found


def _session_of(leader: int) -> set[psutil.Process]:
    """The members of the session that the living process ``leader`` leads."""
    found: set[psutil.Process] = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != leader and os.getsid(process.pid) == leader:
                found.add(process)
    return found


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False

"""Who runs a job: a name for each worker process that outlives it, and that no later process can have."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def identity(pid: int) -> str:
    """``host:pid:start``; the start time tells a process from a later one with the same number."""
    return f"{socket.gethostname()}:{pid}:{_started(pid) or 0}"


def is_gone(owner: str) -> bool:
    """Whether the process of that name has surely ended. Never sure about another host's."""
    host, _, rest = owner.rpartition(":")[0].rpartition(":")
    pid, started = rest, owner.rpartition(":")[2]
    if host != socket.gethostname() or started == "0" or not pid.isdecimal():
        return False
    return _started(int(pid)) != started


def die_with_parent(parent: int) -> None:
    """Has the kernel kill this process when its parent ends; ends it now if that has happened already."""
    if Path("/proc/self").exists():
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _started(pid: int) -> str | None:
    """Clock ticks from boot to the start of a process; None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]  # field 22; the name before may hold blanks and brackets

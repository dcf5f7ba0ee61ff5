"""The processes that a test started itself: other tests' services and servers may be running beside it."""

from __future__ import annotations

import psutil

_before: set[psutil.Process] = set()


def forget_others() -> None:
    """Called when a test begins (an autouse fixture): what runs now is not its own."""
    _before.clear()
    _before.update(psutil.Process().children(recursive=True))


def children() -> list[psutil.Process]:
    """What was started since and was not waited for."""
    return [process for process in psutil.Process().children(recursive=True) if not _of_others(process)]


def _of_others(process: psutil.Process) -> bool:
    """Whether it ran before, or was started by what ran before: a server goes on starting processes of its own."""
    try:
        return not _before.isdisjoint((process, *process.parents()))
    except psutil.NoSuchProcess:
        return False

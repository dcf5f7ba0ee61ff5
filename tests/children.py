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
    return [process for process in psutil.Process().children(recursive=True) if process not in _before]

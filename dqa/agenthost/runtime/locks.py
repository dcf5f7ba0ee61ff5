"""File locks: held by a process, let go when it ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Generator
from pathlib import Path

from dqa.errors import UnavailableError


class FileLock:
    """An exclusive lock on ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def try_acquire(self) -> bool:
        """Takes the lock, if nobody holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def release(self) -> None:
        """Lets go of it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def is_held(path: Path) -> bool:
    """Whether some process holds the lock on ``path``."""
    lock = FileLock(path)
    if not path.is_file():
        return False
    free = lock.try_acquire()
    lock.release()
    return not free


@contextlib.contextmanager
def held(path: Path, *, waiting: Callable[[], None], patience_s: float) -> Generator[None]:
    """Holds the lock on ``path``; ``waiting`` is called once if another has it.

    Raises:
        UnavailableError: it was not to be had within ``patience_s``.
    """
    lock = FileLock(path)
    deadline = time.monotonic() + patience_s
    told = False
    while not lock.try_acquire():
        if not told:
            waiting()
            told = True
        if time.monotonic() > deadline:
            raise UnavailableError("another dqa command is at work on this deployment", fix="try again when it is done")
        time.sleep(0.2)
    try:
        yield
    finally:
        lock.release()

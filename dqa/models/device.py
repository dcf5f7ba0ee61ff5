"""Who may use the device: evaluations share it, a training has it alone (design 3.4).

Two locked files in the state folder, held by the kernel for whoever opened them: what is killed holds nothing any
more. A training takes the gate first, so that a stream of evaluations can't keep it waiting for ever: those that come
later wait for it, those under way finish.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

WAITING = "waiting for training"
"""The progress stage of an evaluation that waits."""

_LOOK_S = 0.1
_TELL_S = 1.0


def nothing() -> None:
    """What a waiting caller does when it has nothing to say."""


@contextmanager
def shared(home: Path, waiting: Callable[[], None] = nothing) -> Generator[None]:
    """Holds the device together with other evaluations.

    Args:
        home: the state folder.
        waiting: called at once and every second while a training holds the device; may raise to give up.
    """
    with ExitStack() as held:
        try:
            gate = held.enter_context(_opened(home, "gate"))
            device = held.enter_context(_opened(home, "device"))
        except OSError as error:  # a state folder that can't be written: then nobody trains in it either
            log.debug("the device is not locked", error=str(error))
            yield
            return
        _take(gate, fcntl.LOCK_SH, waiting)
        _take(device, fcntl.LOCK_SH, waiting)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


@contextmanager
def alone(home: Path, waiting: Callable[[], None] = nothing) -> Generator[int]:
    """Holds the device alone, as a training does; waits for evaluations under way.

    Yields:
        A file descriptor that a child process may inherit: the device stays held until both have ended.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _opened(home, "gate") as gate, _opened(home, "device") as device:
        _take(gate, fcntl.LOCK_EX, waiting)
        _take(device, fcntl.LOCK_EX, waiting)
        yield device


@contextmanager
def alone_if_free(home: Path) -> Generator[bool]:
    """Holds the device alone if nobody uses it now; says whether."""
    with ExitStack() as held:
        yield all(_try(held.enter_context(_opened(home, name)), fcntl.LOCK_EX) for name in ("gate", "device"))


def training(home: Path) -> bool:
    """Whether a training holds the device alone now."""
    try:
        with _opened(home, "device") as descriptor:
            return not _try(descriptor, fcntl.LOCK_SH)
    except OSError:  # a state folder that can't be written: nobody trains in it
        return False


@contextmanager
def _opened(home: Path, name: str) -> Generator[int]:
    descriptor = os.open(home / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int, kind: int, waiting: Callable[[], None]) -> None:
    told = -_TELL_S
    while not _try(descriptor, kind):
        if time.monotonic() - told >= _TELL_S:
            waiting()
            told = time.monotonic()
        time.sleep(_LOOK_S)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""The disk's failures as sentences."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager

from dqa.errors import UnavailableError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: OSError) -> bool:
    """Whether there is no room left: no blocks, no inodes, or no quota."""
    return error.errno in _FULL


def explained(error: OSError, what: str) -> UnavailableError:
    """The failure as an error that says what to do; ``what`` can't be written."""
    if is_full(error):
        return UnavailableError("the disk is full", fix="free some space in the state folder and try again")
    return UnavailableError(f"{what} can't be written", fix="check the state folder and its disk")


@contextmanager
def writing_files(what: str) -> Generator[None]:
    """Turns the disk's failures into ``UnavailableError``."""
    try:
        yield
    except OSError as error:
        raise explained(error, what) from error

"""How the tests share a machine when two processes run them (``make test``, ``pytest -n 2``).

A folder's tests stay together in one process, in their order, so that what they start once (a service, a browser,
Letta) is started once. A test marked ``alone`` runs while the other process runs no test: what it looks at, such as
frames of a playing clip, would be late on a busy machine.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler.loadscope import LoadScopeScheduling

_LONGEST_S = 1800.0


def folder_of(nodeid: str) -> str:
    """``tests/web`` of ``tests/web/test_player.py::test_a[x/y]``."""
    return nodeid.split("::", maxsplit=1)[0].rpartition("/")[0]


def by_folder(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """The scheduler that hands out whole folders, those with most tests first."""
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class ByFolder(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return folder_of(nodeid)

    return ByFolder(config, log)


def common_folder(config: pytest.Config) -> Path | None:
    """The folder that all processes of this run have in common; None where there is but one process."""
    own = config.getoption("basetemp") if hasattr(config, "workerinput") else None
    return Path(own).parent if own else None


@contextmanager
def turn(folder: Path | None, alone: bool) -> Iterator[None]:
    """Waits until a test may begin, and holds its turn while it runs."""
    if folder is None:
        yield
        return
    # Whoever waits to be alone keeps the gate, so that the others can't overtake for ever.
    with ExitStack() as turns:
        with _locked(folder / "gate", fcntl.LOCK_EX):
            turns.enter_context(_locked(folder / "turn", fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        yield


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    """Holds a lock, or goes on without it after longer than any test takes: company is no reason to hang."""
    end = time.monotonic() + _LONGEST_S
    with path.open("w") as file:
        while time.monotonic() < end:
            with suppress(BlockingIOError):
                fcntl.flock(file, how | fcntl.LOCK_NB)
                break
            time.sleep(0.02)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # closing it would leave it to a child that was forked meanwhile

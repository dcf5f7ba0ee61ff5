"""Evicted models, kept in host memory so that they come back without being read from disk again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import structlog

log = structlog.get_logger(__name__)

FREE_SHARE = 0.5
"""Of the host's free memory, what copies may take unless a budget is set."""


@runtime_checkable
class Movable(Protocol):
    """A loaded component that can leave its device and come back."""

    def to(self, device: str) -> object: ...


class Copied(Protocol):
    """What knows of its copy in host memory (:class:`dqa.models.residency.copies.Copies`)."""

    @property
    def host_gb(self) -> float: ...

    def forget(self) -> None: ...


class Shelf:
    """Copies in host memory, the least recently evicted given up first.

    A component that went back to the device keeps its copy, so that nothing is copied when it leaves again; that counts
    too, and is given up last. What a component says its copy takes counts, where it says so: ``copies`` is a
    :class:`Copied`.

    Args:
        device: where components work; on ``cpu`` nothing is kept, for there is nowhere to go.
        budget_gb: most that the copies may take together; default half of what is free when the first one comes.
    """

    def __init__(self, device: str, budget_gb: float | None = None, free_gb: Callable[[], float] | None = None) -> None:
        self._device = device
        self._budget = budget_gb
        self._free = free_gb or _free_gb
        self._kept: dict[str, tuple[Any, float]] = {}
        self._back: dict[str, tuple[Any, float]] = {}

    @property
    def held(self) -> tuple[str, ...]:
        """Ids of what is kept, the next to be given up first."""
        return tuple(self._kept)

    def put(self, name: str, thing: Any, gb: float) -> bool:
        """Moves a component off its device; False (and it is not kept) where it can't move or there is no room."""
        if self._device == "cpu" or not isinstance(thing, Movable):
            return False
        if self._budget is None:
            self._budget = FREE_SHARE * self._free()
        gb = _takes(thing, gb)
        self._back.pop(name, None)
        if gb > self._budget:
            return False
        self._make_room(gb, self._budget)
        try:
            thing.to("cpu")
        except (RuntimeError, ValueError, NotImplementedError, MemoryError) as error:  # 8-bit weights, pinning refused
            log.info("can't be kept in host memory", component=name, error=str(error)[:200])
            return False
        self._kept[name] = thing, _takes(thing, gb)
        return True

    def take(self, name: str) -> Any:
        """The component, back on its device; None where it is not kept."""
        if name not in self._kept:
            return None
        thing, gb = self._kept.pop(name)
        thing.to(self._device)
        if _copies(thing) is not None:
            self._back[name] = thing, gb
        return thing

    def drop(self, name: str) -> None:
        """Gives up a copy; a no-op when there is none."""
        kept = self._kept.pop(name, None), self._back.pop(name, None)
        if kept != (None, None):
            del kept
            _give_back()

    def _make_room(self, gb: float, budget: float) -> None:
        given_up: list[str] = []
        while gb + sum(size for _, size in (*self._kept.values(), *self._back.values())) > budget:
            if self._kept:
                given_up.append(next(iter(self._kept)))
                del self._kept[given_up[-1]]
            elif self._back:
                given_up.append(next(iter(self._back)))
                thing, _ = self._back.pop(given_up[-1])
                thing.copies.forget()
            else:
                break
        if given_up:
            log.info("copies given up", components=given_up)
            _give_back()


def _copies(thing: Any) -> Copied | None:
    return getattr(thing, "copies", None)


def _takes(thing: Any, gb: float) -> float:
    copies = _copies(thing)
    return gb if copies is None else copies.host_gb


def _give_back() -> None:
    if "torch" in sys.modules:
        from dqa.models.residency.copies import give_back

        give_back()


def _free_gb() -> float:
    import psutil

    return psutil.virtual_memory().available / 2**30

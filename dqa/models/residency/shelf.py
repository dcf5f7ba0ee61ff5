"""Evicted models, kept in host memory so that they come back without being read from disk again."""

from __future__ import annotations

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


class Shelf:
    """Copies in host memory, the least recently evicted given up first.

    Args:
        device: where components work; on ``cpu`` nothing is kept, for there is nowhere to go.
        budget_gb: most that the copies may take together; default half of what is free when the first one comes.
    """

    def __init__(self, device: str, budget_gb: float | None = None, free_gb: Callable[[], float] | None = None) -> None:
        self._device = device
        self._budget = budget_gb
        self._free = free_gb or _free_gb
        self._kept: dict[str, tuple[Any, float]] = {}

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
        if gb > self._budget:
            return False
        while self._kept and gb + sum(size for _, size in self._kept.values()) > self._budget:
            given_up = next(iter(self._kept))
            del self._kept[given_up]
            log.info("copy given up", component=given_up)
        try:
            thing.to("cpu")
        except (RuntimeError, ValueError, NotImplementedError, MemoryError) as error:  # 8-bit weights, pinning refused
            log.info("can't be kept in host memory", component=name, error=str(error)[:200])
            return False
        self._kept[name] = thing, gb
        return True

    def take(self, name: str) -> Any:
        """The component, back on its device; None where it is not kept."""
        if name not in self._kept:
            return None
        thing, _ = self._kept.pop(name)
        thing.to(self._device)
        return thing

    def drop(self, name: str) -> None:
        """Gives up a copy; a no-op when there is none."""
        self._kept.pop(name, None)


def _free_gb() -> float:
    import psutil

    return psutil.virtual_memory().available / 2**30

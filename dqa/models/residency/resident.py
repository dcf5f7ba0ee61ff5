"""What is on the device now: loads on first use, evicts the least recently used when the budget asks for it.

The plan says what a phase uses and what stays for a later one; this makes it so, and holds the budget where a component
turns out larger than planned. What is evicted goes to host memory where it can (:mod:`dqa.models.residency.shelf`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import structlog

from dqa.models.residency.meter import Meter, measured
from dqa.models.residency.shelf import Shelf

log = structlog.get_logger(__name__)


class Residency:
    """The components on one device. Not for several threads at once.

    Args:
        load: brings a component onto the device from disk.
        gb: what it takes, as far as known before it is loaded.
        meter: reads the device's memory.
        shelf: where evicted ones go.
        budget_gb: most they may take together; None: no limit.
        loaded: told of each component loaded from disk and by how much memory grew.
    """

    def __init__(
        self,
        load: Callable[[str], Any],
        gb: Callable[[str], float],
        *,
        meter: Meter,
        shelf: Shelf,
        budget_gb: float | None = None,
        loaded: Callable[[str, float], None] = lambda _name, _gb: None,
    ) -> None:
        self._load, self._gb, self._meter, self._shelf = load, gb, meter, shelf
        self._budget = budget_gb
        self._told = loaded
        self._here: dict[str, Any] = {}
        self._needed: frozenset[str] = frozenset()

    @property
    def here(self) -> tuple[str, ...]:
        """Ids of what is loaded, the least recently used first."""
        return tuple(self._here)

    def peek(self, name: str) -> Any:
        """A component if it is loaded, without counting as use; else None."""
        return self._here.get(name)

    def get(self, name: str) -> Any:
        """A component, loaded if need be; room is made for it first."""
        if name in self._here:
            self._here[name] = self._here.pop(name)
            return self._here[name]
        self._make_room(name)
        thing = self._shelf.take(name)
        if thing is None:
            log.info("loading", component=name)
            thing, grown = measured(self._meter, lambda: self._load(name))
            self._told(name, grown)
        else:
            log.info("back from host memory", component=name)
        self._here[name] = thing
        return thing

    def enter(self, needed: Collection[str], kept: Collection[str] = ()) -> None:
        """A phase begins: what it neither uses nor keeps is evicted; what it uses stays until the next."""
        self._needed = frozenset(needed)
        gone = [self._out(name) for name in self.here if name not in needed and name not in kept]
        if gone:
            self._meter.free()

    def evict(self, name: str) -> None:
        """Takes a component off the device; a no-op when it is not there. Host memory keeps it where it can."""
        if name in self._here:
            self._out(name)
            self._meter.free()

    def _out(self, name: str) -> None:
        thing = self._here.pop(name)
        forget = getattr(thing, "forget", None)
        if callable(forget):
            forget()
        kept = self._shelf.put(name, thing, self._gb(name))
        log.info("evicted", component=name, kept_in_host_memory=kept)

    def drop(self, name: str) -> None:
        """Takes a component off the device and out of host memory."""
        here = self._here.pop(name, None) is not None
        self._shelf.drop(name)
        if here:
            self._meter.free()

    def _make_room(self, name: str) -> None:
        if self._budget is None:
            return
        wanted = self._gb(name)
        for other in self.here:
            if self._taken() + wanted <= self._budget:
                return
            if other not in self._needed:  # what is in use can't go: whoever uses it holds it
                self.evict(other)
        if self._taken() + wanted > self._budget:
            log.warning("over the budget", component=name, gb=self._taken() + wanted, budget_gb=self._budget)

    def _taken(self) -> float:
        return sum(self._gb(name) for name in self._here)

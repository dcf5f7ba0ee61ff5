"""What is done when memory runs out: smaller batches, then fewer frames, then the CPU, then a clear refusal.

Smaller batches and the CPU change a score by rounding at most. Fewer frames can change it by more. Each step is told in
the record's notes, so that nothing is lowered unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
import structlog

from dqa.errors import InsufficientMemory, ModelUnavailable
from dqa.measure.observation import Observation
from dqa.models.exhausted import ran_out
from dqa.models.pool import ModelPool
from dqa.record import ChannelName, ChannelResult

log = structlog.get_logger(__name__)

FEWER: tuple[int, ...] = (4, 2, 1)
"""Frames that are still looked at, step by step; channels look at eight."""

_BY_STILLS: tuple[ChannelName, ...] = ("semantic", "spatial", "visionreward")
"""Channels whose memory grows with the still frames; of the benchmark only a backend that asks questions of them."""


@runtime_checkable
class Reducible(Protocol):
    """A loaded component that takes less memory when less goes through it at once.

    Attributes:
        batch: how much goes through at once now, in a unit of its own.
        full_batch: how much in its usual state.
    """

    batch: int
    full_batch: int

    def smaller_batch(self) -> bool:
        """Takes less at once from now on; False where it can't."""
        ...


Ask = Callable[[Observation], ChannelResult]

Step = tuple[AbstractContextManager[Observation], bool]
"""What to try: a context that gives the clip to look at, and whether smaller batches are part of what helps then."""


class Ladder:
    """One channel's way down, clip by clip.

    Args:
        pool: whose components give way.
        name: of the channel.
        components: ids of what it uses.
        by_stills: its backend's memory grows with the still frames, whatever the channel's otherwise does.
    """

    def __init__(
        self, pool: ModelPool, name: ChannelName, components: Sequence[str], *, by_stills: bool = False
    ) -> None:
        self._pool, self._name, self._components = pool, name, tuple(components)
        self._by_stills = by_stills or name in _BY_STILLS

    def ask(self, ask: Ask, observation: Observation) -> tuple[ChannelResult, list[str]]:
        """The channel's answer and what had to be done for it, in words for the record.

        Raises:
            InsufficientMemory: nothing helped.
        """
        notes: list[str] = []
        before = self._batches()
        for step, smaller in self._steps(observation, notes):
            with step as seen:
                result = self._tried(ask, seen)
                if result is not None:
                    told = [*self._reduced(), *notes]
                    if not smaller:
                        self._restore(before)
                    return result, told
        needed = f"{self._name} needs more memory than there is on the {self._pool.device} device"
        tried = "; ".join([*self._reduced(), *notes]) or "it has nothing that could be made smaller"
        self._restore(before)
        raise InsufficientMemory(
            f"{needed} for {' and '.join(self._components) or 'its work'} ({tried})",
            fix="free the device, lower DQA_BUDGET_GB so that fewer models share it, or take a smaller profile",
        )

    def _steps(self, observation: Observation, notes: list[str]) -> Iterator[Step]:
        """What to try, one after the other. Whose memory it was is not known: whoever was asked for last takes less
        first."""
        yield _as_it_is(observation), True
        last = next((name for name in reversed(self._pool.resident) if name in self._components), None)
        for some in ([name for name in self._components if name == last], self._components):
            while self._smaller(some):
                yield _as_it_is(observation), True
        for most in FEWER if not self._pool.refused else ():  # a model that finds no room does not look at frames yet
            if self._by_stills and len(observation.stills) > most:
                notes[:] = [
                    f"{self._name} looked at {most} of {len(observation.stills)} frames, since memory ran out: "
                    "its score may differ from one with all frames"
                ]
                yield _as_it_is(thinned(observation, most)), True
        movable = [name for name in self._components if self._pool.movable(name)]
        if self._pool.device != "cpu" and movable:
            notes[:] = [f"{self._name} ran on the CPU, since the device's memory ran out"]
            yield self._on_cpu(movable, observation), False

    def _tried(self, ask: Ask, seen: Observation) -> ChannelResult | None:
        try:
            return ask(seen)
        except Exception as error:
            # On the CPU a model may be refused that needs a device: then this step is not to be had.
            if not ran_out(error) and not (self._pool.moved and isinstance(error, ModelUnavailable)):
                raise
            log.warning("memory ran out", channel=self._name, error=str(error)[:200])
        # Outside of the handler: the traceback holds the tensors that should go.
        self._pool.free()
        return None

    def _loaded(self, names: Sequence[str]) -> dict[str, Reducible]:
        loaded = {name: self._pool.peek(name) for name in names}
        return {name: one for name, one in loaded.items() if isinstance(one, Reducible)}

    def _smaller(self, names: Sequence[str]) -> bool:
        """Whether one of these components could be made to take less at once, if they are loaded."""
        done = [one.smaller_batch() for one in self._loaded(names).values()]
        return any(done)

    def _batches(self) -> dict[str, int]:
        return {name: one.batch for name, one in self._loaded(self._components).items()}

    def _restore(self, before: Mapping[str, int]) -> None:
        """Smaller batches that did not help are not kept: they would only make the clips after this one slower."""
        for name, one in self._loaded(self._components).items():
            one.batch = before.get(name, one.full_batch)

    def _reduced(self) -> list[str]:
        """Which components take less at once, whether since this clip or one before."""
        found: list[str] = []
        for name, loaded in self._loaded(self._components).items():
            if loaded.batch < loaded.full_batch:
                less = f"{loaded.batch} instead of {loaded.full_batch}"
                found.append(f"{name} took smaller batches in {self._name} ({less}), since memory ran out")
        return found

    @contextmanager
    def _on_cpu(self, names: Sequence[str], observation: Observation) -> Generator[Observation]:
        for name in names:
            self._pool.on_cpu(name)
        try:
            yield observation
        finally:
            self._pool.back()


def thinned(observation: Observation, most: int) -> Observation:
    """The same clip with at most ``most`` still frames, even in time, the representative one among them."""
    count = len(observation.stills)
    if count <= most:
        return observation
    chosen = {round(float(i)) for i in np.linspace(0, count - 1, most)}
    if observation.representative not in chosen:
        chosen.remove(min(chosen, key=lambda i: abs(i - observation.representative)))
        chosen.add(observation.representative)
    order = sorted(chosen)
    stills = tuple(observation.stills[i] for i in order)
    return replace(observation, stills=stills, representative=order.index(observation.representative))


@contextmanager
def _as_it_is(observation: Observation) -> Generator[Observation]:
    yield observation

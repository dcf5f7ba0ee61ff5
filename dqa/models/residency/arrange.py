"""In which order steps run, and which components stay loaded in between, so that little is loaded again.

Every order that respects who reads whose results, and every way of cutting it into phases, is tried; there are few
(a dozen orders of five channels, sixteen cuts). What is not needed in a phase stays while there is room, the soonest
needed first (Belady 1966, with sizes: near the least, not proven least). Evaluations follow each other, so the step
after the last is the first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dqa.models.residency.steps import Step

Fits = Callable[[Sequence[str]], bool]
"""Whether components can be in use at once."""

_MOST_STEPS = 6
"""With more, the given order is kept: the orders would be too many to try."""

_MOST_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Group:
    """Steps that run without loading or evicting anything in between.

    Attributes:
        needed: what they use.
        kept: what stays loaded beside, for a later phase.
        load: of ``needed``, what is not there yet when the phase begins, once evaluations follow each other.
        evict: what was there and goes.
    """

    steps: tuple[Step, ...]
    needed: tuple[str, ...]
    kept: tuple[str, ...]
    load: tuple[str, ...]
    evict: tuple[str, ...]


def arrange(steps: Sequence[Step], sizes: Mapping[str, float], fits: Fits) -> list[Group] | None:
    """The phases with the fewest loads, then the fewest gigabytes loaded, then the fewest phases.

    Args:
        steps: in their usual order, which wins where nothing is gained by another.
        sizes: gigabytes of each component.
        fits: whether components fit together.

    Returns:
        None where one step alone does not fit.
    """
    if not all(fits(step.components) for step in steps):
        return None
    best: tuple[tuple[int, float, int], list[Group]] | None = None
    for order in _orders(steps):
        for cut in _cuts(order):
            if not all(fits(union(part)) for part in cut):
                continue
            groups = rounds(cut, fits)
            loads = [name for group in groups for name in group.load]
            cost = (len(loads), math.fsum(sizes[name] for name in loads), len(groups))
            if best is None or cost < best[0]:
                best = cost, groups
    return [] if best is None else best[1]


def union(steps: Sequence[Step]) -> tuple[str, ...]:
    """Ids of all components that some of the steps need, each once, in their order."""
    return tuple(dict.fromkeys(name for step in steps for name in step.components))


def _orders(steps: Sequence[Step]) -> Iterator[tuple[Step, ...]]:
    if len(steps) > _MOST_STEPS:
        yield tuple(steps)
        return
    for order in itertools.permutations(steps):
        place = {step.name: number for number, step in enumerate(order)}
        if all(place[before] < place[step.name] for step in order for before in step.after):
            yield order


def _cuts(order: Sequence[Step]) -> Iterator[list[tuple[Step, ...]]]:
    inner = range(1, len(order))
    for count in range(len(order)):
        for places in itertools.combinations(inner, count):
            ends = [0, *places, len(order)]
            yield [tuple(order[a:b]) for a, b in itertools.pairwise(ends)]


def rounds(cut: Sequence[Sequence[Step]], fits: Fits) -> list[Group]:
    """The phases of a cut in the steady state: what each round of evaluations after the first loads and evicts.

    With a ``fits`` that is never true nothing is kept for later; what two neighbours need stays all the same.
    """
    loaded: tuple[str, ...] = ()
    for _ in range(_MOST_ROUNDS):
        before = frozenset(loaded)
        groups, loaded = _round(cut, loaded, fits)
        if frozenset(loaded) == before:
            return groups
    return rounds(cut, lambda _: False)  # never came to rest; without keeping, a round leaves what its last phase needs


def _round(cut: Sequence[Sequence[Step]], loaded: tuple[str, ...], fits: Fits) -> tuple[list[Group], tuple[str, ...]]:
    """One pass through the phases, and what is loaded after it."""
    needs = [union(part) for part in cut]
    groups: list[Group] = []
    for number, needed in enumerate(needs):
        kept = _staying(loaded, needs, number, fits)
        load = tuple(name for name in needed if name not in loaded)
        evict = tuple(name for name in loaded if name not in needed and name not in kept)
        groups.append(Group(tuple(cut[number]), needed, kept, load, evict))
        loaded = (*needed, *kept)
    return groups, loaded


def _staying(loaded: Sequence[str], needs: Sequence[Sequence[str]], number: int, fits: Fits) -> tuple[str, ...]:
    def turns_until_needed(name: str) -> int:
        return next(ahead for ahead in range(1, len(needs) + 1) if name in needs[(number + ahead) % len(needs)])

    kept: list[str] = []
    for name in sorted((n for n in loaded if n not in needs[number]), key=turns_until_needed):
        if fits((*needs[number], *kept, name)):
            kept.append(name)
    return tuple(kept)

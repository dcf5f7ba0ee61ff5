"""Clips in rounds: as many as may be held decoded at once while they go through the phases together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from dqa.evaluation.request import Item, Underway
from dqa.measure.observation import Observation

MOST_CLIPS = 16
MOST_BYTES = 2**30
"""Of decoded frames; a clip keeps 180 MB of them at most, so a round never holds much more than this."""


def rounds(
    items: Iterable[Item], opened: Callable[[Item], Underway | Exception], most: int | None = None
) -> Iterator[list[Underway | Exception]]:
    """Opens clips until a round is full, again and again; each round keeps their order.

    Args:
        opened: decodes one, or says why it can't be.
        most: clips in a round; default :data:`MOST_CLIPS`, or fewer where their frames reach :data:`MOST_BYTES`.
    """
    some: list[Underway | Exception] = []
    held = 0
    for item in items:
        clip = opened(item)
        some.append(clip)
        held += held_by(clip.observation) if isinstance(clip, Underway) else 0
        if len(some) >= (most or MOST_CLIPS) or held >= MOST_BYTES:
            yield some
            some, held = [], 0
    if some:
        yield some


def held_by(observation: Observation) -> int:
    """Bytes of the frames that an observation keeps."""
    return sum(frame.image.nbytes for frame in (*observation.stills, *observation.track))

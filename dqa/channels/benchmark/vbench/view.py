"""What the dimensions look at where VBench's models are at hand: frames at most 8 a second, each model asked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np

from dqa.channels.benchmark.vbench.flow import top_magnitude
from dqa.channels.benchmark.vbench.models import Lent, Models
from dqa.channels.benchmark.view import Likeness, View
from dqa.clip.frame import Frame
from dqa.measure.observation import Observation
from dqa.measure.signals import Series
from dqa.models.vision.raft import FlowModel

Thing = TypeVar("Thing")

PAIRS, PAIRS_HZ, STEPS = 64, 4.0, 12
"""Flow is asked for at most this many pairs, even in time, and so many a second; refined as often as in training."""

STILLS = 8
"""How many stills, even in time, are rated at most: looks change more slowly than motion."""

LIKENESS = Likeness(subject=0.2, background=0.2, jump=0.35, split=0.3)
"""Of DINO's and CLIP's features; see docs/design/vbench.md."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """How fast the fastest 5 % of the picture move, pair by pair.

    Attributes:
        frames: n, the index of each pair's first frame.
        starts, ends: n, when the pair's frames are shown, in s.
        values: n, in short sides per second.
    """

    frames: tuple[int, ...]
    starts: Series
    ends: Series
    values: Series


@dataclass(frozen=True, slots=True)
class Ratings:
    """LAION's rating of stills, 1..10."""

    frames: tuple[Frame, ...]
    values: Series


class VBenchView(View):
    """One clip as the backend sees it.

    Args:
        observation: the clip, decoded once.
        models: those of the profile.
        likeness: the scale of DINO's and CLIP's features.
    """

    def __init__(self, observation: Observation, models: Models, likeness: Likeness | None = None) -> None:
        super().__init__(
            observation, lambda: Lent(models.dino), likeness or LIKENESS, behind=lambda: Lent(models.clip_b32)
        )
        self._models = models

    @cached_property
    def speeds(self) -> Speeds:
        """By RAFT, of track frames (at most 8 a second, short side at most 256)."""
        pairs = list(pairwise(self.track))
        lasts = pairs[-1][1].time_s - pairs[0][0].time_s
        pairs = _even(pairs, min(PAIRS, max(2, round(lasts * PAIRS_HZ))))
        with self._models.raft() as raft:
            tops = _tops(raft, pairs)
        starts, ends = (np.array([pair[i].time_s for pair in pairs]) for i in (0, 1))
        sides = np.array([min(pair[0].image.shape[:2]) for pair in pairs])
        return Speeds(tuple(a.index for a, _ in pairs), starts, ends, np.array(tops) / sides / (ends - starts))

    @cached_property
    def ratings(self) -> Ratings:
        """Of stills."""
        stills = tuple(_even(self.observation.stills, STILLS))
        with self._models.aesthetic_head() as head:
            with self._models.clip_l14() as tower:
                rows = tower.vectors([still.image for still in stills], antialias=True)
            return Ratings(stills, head.ratings(rows).double().numpy())


def _even(things: Sequence[Thing], most: int) -> list[Thing]:
    """At most ``most``, evenly spread, the first and the last among them."""
    if len(things) <= most:
        return list(things)
    return [things[round(i)] for i in np.linspace(0, len(things) - 1, most)]


def _tops(raft: FlowModel, pairs: list[tuple[Frame, Frame]]) -> list[float]:
    """Each pair's fastest 5 %, in pixels; pairs that follow one another share the features of the frame between."""
    tops: list[float] = []
    run: list[Frame] = []
    for pair in [*pairs, None]:
        if pair is not None and run and run[-1] is pair[0]:
            run.append(pair[1])
            continue
        tops += [top_magnitude(flow.numpy()) for flow in raft.flows((frame.image for frame in run), STEPS)]
        run = list(pair or ())
    return tops

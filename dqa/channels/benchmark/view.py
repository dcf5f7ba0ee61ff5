"""What the dimensions look at: one clip's signals and features, each worked out once, on first use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dqa.clip.frame import Frame, Image
from dqa.measure.observation import Observation
from dqa.measure.repeats import Repeats, find_repeats
from dqa.measure.signals import Signals
from dqa.models.roles import ImageEncoder, Vectors
from dqa.record import Evidence, Status

MIN_FRAMES = 5
"""Fewer say nothing about motion: VBench's forms degenerate there (2 sampled frames always "move", 1 never does)."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How far an image encoder's features move in sound clips: where the scores that rest on them are a half.

    Encoders differ in this, and an argument ``likeness`` of the channel says so. The defaults are EfficientNet-Lite0's
    (docs/design/benchmark-scales.md).

    Attributes:
        subject: 1 - the consistency of whole frames.
        background: 1 - that of their borders.
        jump: 1 - the cosine across the largest jump between neighbours.
        split: how much less the two parts of a clip look alike than each looks like itself.
    """

    subject: float = 0.2
    background: float = 0.2
    jump: float = 0.35
    split: float = 0.3


@dataclass(frozen=True, slots=True)
class Finding:
    """One dimension's verdict on one clip; the fields are those of :class:`dqa.record.Dimension` plus its evidence."""

    score: float | None
    raw: float | None
    reason: str
    evidence: tuple[Evidence, ...] = ()
    status: Status = "ok"


Measure = Callable[["View"], Finding]


class View:
    """One clip as the benchmark sees it.

    Args:
        observation: the clip, decoded once.
        encoder: gives the encoder when a dimension first needs features; it may never be asked.
        likeness: the encoders' scale.
        behind: gives the one for the background, where that is another.
    """

    def __init__(
        self,
        observation: Observation,
        encoder: Callable[[], ImageEncoder],
        likeness: Likeness | None = None,
        behind: Callable[[], ImageEncoder] | None = None,
    ) -> None:
        self.observation = observation
        self.likeness = likeness or Likeness()
        self._encoder = encoder
        self._behind = behind or encoder

    @property
    def signals(self) -> Signals:
        return self.observation.signals

    @property
    def track(self) -> tuple[Frame, ...]:
        return self.observation.track

    @cached_property
    def repeats(self) -> Repeats:
        """Frames that repeat the one before."""
        return find_repeats(self.signals)

    @property
    def moving(self) -> float:
        """1 - the share of the clip that stands still: what a measure of change over time may earn at most."""
        return 1.0 - self.repeats.still

    def gated(self, text: str) -> str:
        """``text``, and why the score is lower than it says where part of the clip stands still."""
        if self.moving <= 0:
            return "nothing moves, so that nothing flickers or jerks earns nothing"
        if self.moving > 0.98:
            return text
        return f"{text}; only the {100 * self.moving:.0f} % of the clip that moves count"

    @cached_property
    def subject(self) -> Vectors:
        """Features of the whole track frames, n x d."""
        return self._encoder().encode([frame.image for frame in self.track])

    @cached_property
    def background_track(self) -> tuple[Frame, ...]:
        """Every second track frame: what lies behind changes more slowly than what happens before it."""
        return self.track[::2] if len(self.track) >= 6 else self.track

    @cached_property
    def background(self) -> Vectors:
        """Features of those frames with the middle painted grey, m x d."""
        return self._behind().encode([without_middle(frame.image) for frame in self.background_track])

    def distinct(self, frames: Sequence[Frame]) -> NDArray[np.intp]:
        """Indexes of ``frames`` that show something new since the one kept before: repeats earn no consistency."""
        seen = np.concatenate(([0], np.cumsum(~self.repeats.flags)))
        at = np.searchsorted(self.signals.times, [frame.time_s for frame in frames])
        return np.flatnonzero(np.diff(seen[at], prepend=-1) > 0)

    def too_short(self) -> Finding | None:
        """The abstention of a dimension that needs motion, for an image or a clip of under five frames."""
        if self.observation.media.kind == "image":
            return abstain("an image has no motion to judge")
        if self.signals.frames < MIN_FRAMES:
            return abstain(f"{self.signals.frames} frames are too few; it takes {MIN_FRAMES}")
        return None


def abstain(reason: str) -> Finding:
    """No verdict, and why."""
    return Finding(None, None, reason, status="abstained")


def without_middle(image: Image) -> Image:
    """``image`` with its lower middle (half the width, from a fifth of the height down) painted mid-grey.

    That is where a generated clip's subject stands; what is left is sky, sides and walls. The grey patch is the same
    in all frames, so all its features share it and only the border tells them apart.
    """
    height, width = image.shape[:2]
    masked = image.copy()
    masked[round(height * 0.2) :, round(width * 0.25) : width - round(width * 0.25)] = 127
    return masked

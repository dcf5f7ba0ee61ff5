"""What one decode of a clip leaves behind for every channel.

Memory is bounded whatever the clip's length: a fixed number of stills and track frames (thinned out evenly
as the clip goes on), and a few numbers per frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from dqa.clip.frame import Frame
from dqa.measure.signals import Signals
from dqa.record import Media


@dataclass(frozen=True, slots=True)
class Observation:
    """A clip, decoded once.

    Attributes:
        media: the clip's facts, frames and corrupt packets counted by the decode itself.
        stills: up to 32 frames even in time (2 a second at most), long side <= 1280: for semantics, grounding, reports.
        track: up to 256 frames even in time (8 a second at most), short side <= 256: for features followed over time.
        representative: index into ``stills`` of the frame that stands for the clip (not black, blurred, in transition).
        signals: per-frame and per-pair measurements at the clip's own rate.
        replay: decodes the clip once more, every frame at its own size, one in memory at a time; for a judge that must
            see what was not kept. None where the frames came from no file. It is no part of what was seen: two
            observations are equal without it.
    """

    media: Media
    stills: tuple[Frame, ...]
    track: tuple[Frame, ...]
    representative: int
    signals: Signals
    replay: Callable[[], Iterable[Frame]] | None = field(default=None, compare=False, repr=False)

"""What a report shows of one clip: its record and a few small pictures, so that the frames themselves can go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dqa.record import EvaluationRecord
from dqa.report.overlay import Region, regions
from dqa.report.pictures import Picture, picture
from dqa.report.text import clean

if TYPE_CHECKING:
    from dqa.clip.frame import Frame
    from dqa.evaluator import Evaluation

_STRIP = 8
"""Pictures in the film strip."""

_FIGURES = 3
"""Frames shown beside the representative one because something was located in them."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A still with what was located in it."""

    picture: Picture
    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class ClipView:
    """One clip in a report, in at most about 600 kB. ``main`` is the representative frame."""

    record: EvaluationRecord
    main: Figure
    figures: tuple[Figure, ...]
    strip: tuple[Picture, ...]

    @property
    def name(self) -> str:
        """The clip's file name, safe to show."""
        return clip_name(self.record)


def clip_name(record: EvaluationRecord) -> str:
    """The file name of a record's clip, safe to show."""
    return clean(Path(record.reproduce.media).name) or "clip"


def clip_view(evaluation: Evaluation) -> ClipView:
    """Takes from an evaluation what its report needs."""
    stills, record = evaluation.observation.stills, evaluation.record
    representative = stills[evaluation.observation.representative]
    located = _by_still(regions(record), stills)
    others = [i for i in located if stills[i] is not representative]
    others.sort(key=lambda i: (-len(located[i]), i))
    return ClipView(
        record=record,
        main=Figure(
            picture(representative, 960, 160_000), tuple(located.get(evaluation.observation.representative, ()))
        ),
        figures=tuple(Figure(picture(stills[i], 640, 80_000), tuple(located[i])) for i in sorted(others[:_FIGURES])),
        strip=tuple(picture(still, 240, 16_000) for still in _evenly(stills, _STRIP)) if len(stills) > 1 else (),
    )


def _by_still(found: Sequence[Region], stills: Sequence[Frame]) -> dict[int, list[Region]]:
    """Regions by the index of the still they were located in; one whose still was thinned out is left out."""
    index_of = {still.index: i for i, still in enumerate(stills)}
    grouped: dict[int, list[Region]] = {}
    for region in found:
        if region.frame in index_of:
            grouped.setdefault(index_of[region.frame], []).append(region)
    return grouped


def _evenly(stills: Sequence[Frame], count: int) -> list[Frame]:
    if len(stills) <= count:
        return list(stills)
    return [stills[round(i * (len(stills) - 1) / (count - 1))] for i in range(count)]

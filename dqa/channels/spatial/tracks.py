"""A thing followed over the sampled frames: where it is in each, when it holds, and what that says of relations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from dqa.channels.spatial.activation import Mask, Place, place_of
from dqa.channels.spatial.checks import Check, check
from dqa.channels.spatial.located import region_of
from dqa.clip.frame import Frame
from dqa.prompt.parse import Entity, RelationName
from dqa.record import Evidence

SMALLEST = 0.002
"""Share of the frame under which a mask is a speck and not a thing."""

_PART = 0.1
"""Pieces of a mask smaller than this share of its largest one are left out of boxes and areas."""

_PEAK = 0.01
"""Share of the cells, the likeliest, over which presence is averaged."""

# As for class activation (located.py), whose ends were fitted; these wait for clips rated with the real weights.
_MISSED, _SURE = 0.35, 0.95


@dataclass(frozen=True, slots=True)
class Sighting:
    """One frame of a track. ``presence`` is how likely the thing is where it is likeliest, 0 to 1."""

    frame: Frame
    place: Place | None
    presence: float


@dataclass(frozen=True, slots=True)
class Track:
    """An entity of the prompt over the sampled frames, of which there is at least one."""

    entity: Entity
    sightings: tuple[Sighting, ...]

    @property
    def found(self) -> bool:
        return any(s.place for s in self.sightings)

    @property
    def best(self) -> Sighting:
        """The surest sighting, one with a place if there is any."""
        return max(self.sightings, key=lambda s: (s.place is not None, s.presence))

    @property
    def support(self) -> float:
        return self.best.presence

    @property
    def strength(self) -> float:
        """How much the track speaks for the prompt: :data:`_MISSED` to :data:`_SURE`, rising with the support."""
        return _MISSED + (_SURE - _MISSED) * self.support

    @property
    def spans(self) -> list[tuple[float, float]]:
        """When the thing is seen, in seconds: first and last frame of each run of sampled frames that show it."""
        runs = (list(run) for shown, run in groupby(self.sightings, lambda s: s.place is not None) if shown)
        return [(run[0].frame.time_s, run[-1].frame.time_s) for run in runs]


def sighting(frame: Frame, heat: NDArray[np.float32], mask: Mask) -> Sighting:
    """What a grounder's map and mask of one thing say of a frame."""
    peak = np.sort(heat, axis=None)[-max(1, round(heat.size * _PEAK)) :]
    kept = _without_specks(mask)
    place = place_of(kept, frame) if kept.mean() >= SMALLEST else None
    return Sighting(frame, place, float(np.clip(peak.mean(), 0, 1)))


def _without_specks(mask: Mask) -> Mask:
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    sizes = stats[:, cv2.CC_STAT_AREA]
    large = [part for part in range(1, count) if sizes[part] >= _PART * sizes[1:].max()]
    return np.isin(parts, large)


def check_over_time(subject: Track, name: RelationName, object_: Track) -> Check:
    """Checks a relation in every frame that shows both things; it holds when it does in most of those that tell.

    ``margin`` is the median over the same frames; ``holds`` is None where none tells, or as many say yes as no.
    """
    pairs = zip(subject.sightings, object_.sightings, strict=True)
    checks = [check(a.place, name, b.place) for a, b in pairs if a.place and b.place]
    told = [c for c in checks if c.holds is not None]
    margins = [c.margin for c in (told or checks) if c.margin is not None]
    share = sum(bool(c.holds) for c in told) / len(told) if told else 0.5
    return Check(None if share == 0.5 else share > 0.5, median(margins) if margins else None)


def track_json(track: Track) -> dict[str, JsonValue]:
    """An entry of ``raw.tracks``: times in seconds, boxes in pixels of the original frame, areas in shares of it."""
    return {
        "name": track.entity.text,
        "spans": [list(span) for span in track.spans],
        "frames": [
            {
                "frame": s.frame.index,
                "time_s": s.frame.time_s,
                "confidence": s.presence,
                "area": s.place.area if s.place else None,
                "box": list(s.place.box) if s.place else None,
            }
            for s in track.sightings
        ],
    }


def evidence_of(track: Track) -> Evidence:
    """Where and when the thing was found, or that it was not; the time is its longest span."""
    best = track.best
    if best.place is None:
        return Evidence(text=f"“{track.entity.text}” not found in {_frames(track.sightings)}")
    shown = sum(s.place is not None for s in track.sightings)
    return Evidence(
        text=f"“{track.entity.text}” found {region_of(best.place)}, in {shown} of {_frames(track.sightings)}",
        frame=best.frame.index,
        time_s=max(track.spans, key=lambda span: span[1] - span[0]),
        box=best.place.box,
        area=best.place.area,
    )


def _frames(sightings: Sequence[Sighting]) -> str:
    return f"{len(sightings)} frame{'' if len(sightings) == 1 else 's'}"

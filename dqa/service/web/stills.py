"""The frames that a verdict's page shows, as links to the frame server, with what was found in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from dqa.record import ChannelName, EvaluationRecord, Evidence
from dqa.report.overlay import COLOURS, Region, regions
from dqa.report.text import shorten

MOST_FIGURES = 8
"""Frames shown besides the representative one; each costs the service a decode the first time."""

_LONG_SIDE = 960
_STRIP = 8


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame at the size it is shown; ``time_s`` is None for the frame that only the decoder knows."""

    uri: str
    width: int
    height: int
    frame: int | None
    time_s: float | None


@dataclass(frozen=True, slots=True)
class Figure:
    """A frame, what was located in it, and the evidence that names it."""

    picture: Picture
    regions: tuple[Region, ...]
    evidence: tuple[tuple[ChannelName, Evidence], ...] = ()


def representative(record: EvaluationRecord) -> Figure:
    """The frame that stands for the clip; for an image, with what was located in it."""
    found = tuple(_located(record)) if record.media.kind == "image" else ()
    return Figure(_picture(record, "representative", None), found)


def figures(record: EvaluationRecord) -> list[Figure]:
    """The frames that some evidence names or something was located in, in time order, the richest ones first chosen."""
    if record.media.kind == "image":
        return []
    shapes, said = _by_frame(record)
    frames = sorted({*shapes, *said}, key=lambda n: (-len(shapes.get(n, ())), -len(said.get(n, ())), n))
    return [
        Figure(_picture(record, str(n), n), tuple(shapes.get(n, ())), tuple(said.get(n, ())))
        for n in sorted(frames[:MOST_FIGURES])
    ]


def strip(record: EvaluationRecord) -> list[Picture]:
    """Small frames from the first to the last, evenly."""
    last = record.media.frames - 1
    if record.media.kind == "image" or last < 1:
        return []
    count = min(_STRIP, last + 1)
    return [_picture(record, str(n), n, 240) for n in (round(i * last / (count - 1)) for i in range(count))]


def frame_of(record: EvaluationRecord, evidence: Evidence) -> int | None:
    """The frame that evidence is about: the one it names, or the first of its time range; None when it names none."""
    media = record.media
    if media.kind == "image":
        return None
    number = evidence.frame
    if number is None and evidence.time_s is not None and media.fps > 0:
        number = round(evidence.time_s[0] * media.fps)
    return None if number is None else max(0, min(number, media.frames - 1))


def _by_frame(
    record: EvaluationRecord,
) -> tuple[dict[int, list[Region]], dict[int, list[tuple[ChannelName, Evidence]]]]:
    shapes: dict[int, list[Region]] = {}
    said: dict[int, list[tuple[ChannelName, Evidence]]] = {}
    for region in _located(record):
        shapes.setdefault(region.frame, []).append(region)
    for channel, result in record.channels.items():
        for evidence in result.evidence:
            frame = frame_of(record, evidence)
            if frame is not None:
                said.setdefault(frame, []).append((channel, evidence))
    return shapes, said


def _located(record: EvaluationRecord) -> Iterator[Region]:
    """What the spatial channel located, then boxes that only evidence has."""
    entities = regions(record)
    yield from entities
    known = {(region.frame, region.box) for region in entities}
    colour = 1 + max((region.colour for region in entities), default=-1)
    for result in record.channels.values():
        for evidence in result.evidence:
            region = _boxed(record, evidence)
            if region is not None and (region.frame, region.box) not in known:
                known.add((region.frame, region.box))
                yield replace(region, colour=colour % COLOURS)
                colour += 1


def _boxed(record: EvaluationRecord, evidence: Evidence) -> Region | None:
    if evidence.box is None:
        return None
    x0, y0, x1, y1 = evidence.box
    if x1 <= x0 or y1 <= y0:
        return None
    frame = frame_of(record, evidence) or 0
    return Region(shorten(evidence.text, 60), 0, frame, evidence.area, (x0, y0, x1 - x0, y1 - y0), "", (1, 1))


def _picture(record: EvaluationRecord, which: str, frame: int | None, side: int = _LONG_SIDE) -> Picture:
    media = record.media
    scale = min(1.0, side / max(media.width, media.height))
    time_s = None if frame is None or media.fps <= 0 else frame / media.fps
    width, height = max(1, round(media.width * scale)), max(1, round(media.height * scale))
    uri = f"/v1/evaluations/{record.id}/frames/{which}.jpg?max_side={side}"
    return Picture(uri, width, height, frame, time_s)

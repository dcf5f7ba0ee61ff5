"""What the spatial channel located, as shapes to draw over a still."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dqa.record import EvaluationRecord

COLOURS = 6
"""How many colours there are for entities; further ones start anew."""

_MOST_RUNS = 4096


@dataclass(frozen=True, slots=True)
class Region:
    """One entity in one frame.

    Attributes:
        colour: 0 to :data:`COLOURS` - 1.
        box: x, y, width, height in pixels of the original frame.
        mask: an SVG path in cells of a grid, which ``grid`` (width, height) spans over the whole frame.
    """

    name: str
    colour: int
    frame: int
    area: float | None
    box: tuple[float, float, float, float] | None
    mask: str
    grid: tuple[int, int]


def regions(record: EvaluationRecord) -> list[Region]:
    """Every entity that was located, in the order of the prompt."""
    spatial = record.channels.get("spatial")
    listed = spatial.raw.get("entities") if spatial is not None else None
    entities = [e for e in (listed if isinstance(listed, list) else []) if isinstance(e, dict)]
    names = list(dict.fromkeys(str(e.get("name", "")) for e in entities))
    found = (_region(entity, names.index(str(entity.get("name", "")))) for entity in entities)
    return [region for region in found if region is not None]


def _region(entity: Mapping[str, Any], number: int) -> Region | None:
    """``number`` tells names apart, so that one keeps its colour from frame to frame."""
    frame, area = entity.get("frame"), entity.get("area")
    if not entity.get("found") or not isinstance(frame, int):
        return None
    mask, grid = _mask(entity.get("mask"))
    return Region(
        name=str(entity.get("name", "")),
        colour=number % COLOURS,
        frame=frame,
        area=area if isinstance(area, int | float) else None,
        box=_box(entity.get("box")),
        mask=mask,
        grid=grid,
    )


def _box(value: Any) -> tuple[float, float, float, float] | None:
    if not isinstance(value, list | tuple) or len(value) != 4 or not all(isinstance(v, int | float) for v in value):
        return None
    x0, y0, x1, y1 = (float(v) for v in value)
    return (x0, y0, x1 - x0, y1 - y0) if x1 > x0 and y1 > y0 else None


def _mask(value: Any) -> tuple[str, tuple[int, int]]:
    """The mask's path and grid; an empty path for a mask that is absent or not well formed."""
    try:
        height, width = (int(v) for v in value["size"])
        runs = [int(v) for v in value["rle"]]
    except (TypeError, KeyError, ValueError):
        return "", (1, 1)
    if width < 1 or height < 1 or min(runs, default=-1) < 0 or sum(runs) > width * height or len(runs) > _MOST_RUNS:
        return "", (1, 1)
    return "".join(f"M{x} {y}h{n}v1h-{n}z" for x, y, n in _strokes(runs, width)), (width, height)


def _strokes(runs: list[int], width: int) -> Iterator[tuple[int, int, int]]:
    """Row by row: x, y and length of what is set. Runs alternate, first of what is not set, in row-major order."""
    at = 0
    for number, run in enumerate(runs):
        end = at + run
        while number % 2 and at < end:
            length = min(end - at, width - at % width)
            yield at % width, at // width, length
            at += length
        at = end

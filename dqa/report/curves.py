"""Per-frame measurements as SVG paths, with marks at the moments the evidence names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dqa.record import ChannelResult, EvaluationRecord
from dqa.report.words import CURVES

WEAK = 0.7
"""Moments that evidence of a dimension below this names are marked."""

WIDTH, HEIGHT = 640.0, 96.0
"""Size of a plot in its own units."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of time that some evidence names, in plot units."""

    x: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One series over time: an SVG path in a plot of :data:`WIDTH` x :data:`HEIGHT`, and its ends in its own unit.

    ``key`` is what the record calls it, ``name`` what it shows.
    """

    key: str
    name: str
    path: str
    low: float
    high: float
    start_s: float
    end_s: float
    marks: tuple[Mark, ...]


def curves(record: EvaluationRecord) -> list[Curve]:
    """The benchmark's curves, each with the benchmark's marks; none for a still or a channel without."""
    result = record.channels.get("benchmark")
    raw = result.raw.get("curves") if result is not None else None
    if result is None or not isinstance(raw, dict):
        return []
    times = _numbers(raw.get("time_s"))
    series = {k: _numbers(v) for k, v in _series(raw).items()}
    found = [_curve(name, times, values, result) for name, values in series.items()]
    return [curve for curve in found if curve is not None]


def _series(raw: Mapping[str, Any]) -> dict[str, Any]:
    inner = raw.get("series")
    return dict(inner) if isinstance(inner, dict) else {k: v for k, v in raw.items() if k != "time_s"}


def _curve(name: str, times: Sequence[float], values: Sequence[float], result: ChannelResult) -> Curve | None:
    points = [(t, v) for t, v in zip(times, values, strict=False) if math.isfinite(t)]
    finite = [v for _, v in points if math.isfinite(v)]
    if len(finite) < 2 or points[-1][0] <= points[0][0]:
        return None
    start, end, low, high = points[0][0], points[-1][0], min(finite), max(finite)
    path = _path([(_x(t, start, end), _y(v, low, high)) for t, v in points])
    return Curve(
        name, CURVES.get(name, name.replace("_", " ")), path, low, high, start, end, tuple(_marks(result, start, end))
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    """A line through ``points``, broken where a value is missing."""
    parts: list[str] = []
    pen_down = False
    for x, y in points:
        if math.isfinite(y):
            parts.append(f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}")
        pen_down = math.isfinite(y)
    return "".join(parts)


def _marks(result: ChannelResult, start: float, end: float) -> list[Mark]:
    marks: list[Mark] = []
    fine = [name.replace("_", " ") for name, d in (result.dimensions or {}).items() if (d.score or 0.0) >= WEAK]
    for evidence in result.evidence:
        if evidence.text.partition(":")[0] in fine:
            continue  # every dimension names its worst moment, even one that is good throughout
        if evidence.time_s is not None and evidence.time_s[1] >= start and evidence.time_s[0] <= end:
            left, right = (_x(min(max(t, start), end), start, end) for t in evidence.time_s)
            marks.append(Mark(left, max(right - left, 3.0), evidence.text))
    return marks


def _x(time: float, start: float, end: float) -> float:
    return (time - start) / (end - start) * WIDTH


def _y(value: float, low: float, high: float) -> float:
    """Low at the bottom; a constant runs through the middle, a constant 0 along the bottom."""
    share = (0.5 if low else 0.0) if high == low else (value - low) / (high - low)
    return HEIGHT - 6 - share * (HEIGHT - 12)


def _numbers(values: Any) -> list[float]:
    if not isinstance(values, list | tuple):
        return []
    return [float(v) if isinstance(v, int | float) and not isinstance(v, bool) else math.nan for v in values]

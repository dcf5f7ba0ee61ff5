"""The curves a report draws: a clip's measurements over time, at most 64 points each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
from pydantic import JsonValue

from dqa.channels.benchmark.view import View
from dqa.errors import ModelUnavailable
from dqa.measure.continuity import adjacent
from dqa.measure.signals import Series
from dqa.measure.temporal import speed

POINTS = 64


def curves(view: View) -> dict[str, JsonValue]:
    """``time_s`` and, at those times: ``difference`` (0..255), ``motion`` (short sides/s), ``luminance`` (0..255),
    ``sharpness`` (0..1), ``similarity`` (cosine to the moment before, 0..1), ``repeat`` (0..1).

    Where a point covers several pairs it keeps the one that stands out (least alike, most different), so that a
    single bad frame of a long clip stays visible.
    """
    signals = view.signals
    count = min(POINTS, signals.frames)
    if count < 2:
        return {}
    times = np.linspace(float(signals.times[0]), float(signals.times[-1]), count)
    pair_times = signals.times[1:]
    lines: dict[str, Series] = {
        "time_s": times,
        "difference": _binned(times, pair_times, signals.difference, np.max),
        "motion": _binned(times, pair_times, speed(signals), np.mean),
        "luminance": _binned(times, signals.times, signals.luminance, np.mean),
        "sharpness": _binned(times, signals.look_times, signals.look("sharpness"), np.min),
        "repeat": _binned(times, pair_times, view.repeats.weights, np.max),
    }
    if len(view.track) > 2:
        with suppress(ModelUnavailable):  # the other curves need no model
            alike = adjacent(view.subject)
            track_times = np.array([frame.time_s for frame in view.track[1:]])
            lines["similarity"] = _binned(times, track_times, alike, np.min)
    return {name: [float(value) for value in line] for name, line in lines.items()}


def _binned(at: Series, times: Series, values: Series, keep: Callable[[Series], np.floating]) -> Series:
    """``values`` at times ``at``: what ``keep`` makes of those nearest to a point, or interpolated where none is."""
    nearest = np.abs(times[:, None] - at[None, :]).argmin(axis=1)
    line = np.interp(at, times, values)
    for point in np.unique(nearest):
        line[point] = keep(values[nearest == point])
    return line

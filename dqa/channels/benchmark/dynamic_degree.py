"""Does anything move? VBench's dynamic_degree as the continuous number under its yes or no."""

from __future__ import annotations

import numpy as np

from dqa.channels.benchmark.view import Finding, View
from dqa.channels.scales import rising
from dqa.measure.signals import Signals
from dqa.measure.temporal import speed
from dqa.record import Evidence

# VBench asks for 6 px of 256 (times the short side) between frames an eighth of a second apart.
VBENCH_THRESHOLD = 6 / 256
_STEP_S = 1 / 8


def measure(view: View) -> Finding:
    """Raw: mean of the largest 5 % of displacements in an eighth of a second, as a share of the short side.

    Score: rises quickly, to a half at 2 % of the short side a second; a quiet scene under a static camera earns most of
    it, only what stands still earns nothing.
    """
    short = view.too_short()
    if short is not None:
        return short
    fast = mean_speed(view.signals)
    where = "over" if fast * _STEP_S > VBENCH_THRESHOLD else "under"
    text = (
        f"what moves most covers {100 * fast:.1f} % of the short side a second ({where} VBench's threshold of "
        f"{100 * VBENCH_THRESHOLD / _STEP_S:.0f} %)"
    )
    return Finding(rising(fast, 0.02, 1.0), fast * _STEP_S, text, _slowest(view.signals))


def mean_speed(signals: Signals) -> float:
    """Mean over time of the fastest 5 %, in short sides per second."""
    return float(np.average(speed(signals), weights=np.maximum(signals.intervals, 1e-3)))


def _slowest(signals: Signals) -> tuple[Evidence, ...]:
    """The half second with least motion, when the clip is longer than that."""
    times, moved = signals.times, np.concatenate(([0.0], np.cumsum(signals.motion_top)))
    ends = np.searchsorted(times, times + 0.5)
    starts = np.flatnonzero(ends < times.size)
    if not starts.size:
        return ()
    at = int(starts[np.argmin(moved[ends[starts]] - moved[starts])])
    end = int(ends[at])
    slow = (moved[end] - moved[at]) / (times[end] - times[at])
    span = (float(times[at]), float(times[end]))
    return (Evidence(text=f"least motion: {100 * slow:.1f} % of the short side a second", frame=at, time_s=span),)

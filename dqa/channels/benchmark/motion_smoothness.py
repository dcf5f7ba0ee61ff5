"""Is motion even? VBench's motion_smoothness form, rescaled so that a clip that does not move is not the smoothest."""

from __future__ import annotations

import numpy as np

from dqa.channels.benchmark.view import Finding, View
from dqa.channels.scales import falling
from dqa.measure.signals import Signals
from dqa.measure.temporal import interpolation_ratio, jerk_ratio, jerkiness, stutter
from dqa.record import Evidence


def measure(view: View) -> Finding:
    """Raw: VBench's (255 - mean |interpolated - real|) / 255 over the dropped odd frames, with DIS flow at 320 px.

    Score: from how much the motion changes between pairs against how much there is, and from how much worse a frame is
    foreseen from both neighbours than from one, and from steps that stand out among those around them (lost frames);
    times the share of the clip that moves at all.
    """
    short = view.too_short()
    if short is not None:
        return short
    signals = view.signals
    jerk, ratio = jerkiness(signals), float(np.percentile(interpolation_ratio(signals), 90))
    jumps = stutter(signals)
    score = falling(jerk, 1.15, 3.0) * falling(ratio, 2.0, 3.0) * falling(jumps, 0.9, 3.0) * view.moving
    text = (
        f"motion changes by {100 * jerk:.0f} % from frame to frame (even clips 10-50 %), frames lie {ratio:.1f} times "
        f"a step's error off the middle of their neighbours (0.4-1.4), and the fastest steps are "
        f"{np.exp(jumps / 2):.1f} times those around them (1.0-1.3)"
    )
    return Finding(score, vbench_smoothness(signals), view.gated(text), (_worst(signals),))


def vbench_smoothness(signals: Signals) -> float:
    """VBench's value, 0..1; needs three frames."""
    return (255.0 - float(signals.interpolation_error.mean())) / 255.0


def _worst(signals: Signals) -> Evidence:
    ratio = jerk_ratio(signals)
    at = int(np.argmax(ratio)) + 1
    start, end = float(signals.times[at - 1]), float(signals.times[at + 1])
    return Evidence(
        text=f"the greatest jerk, {ratio[at - 1]:.1f} times the motion around it", frame=at, time_s=(start, end)
    )

"""Does brightness swing from frame to frame? VBench's temporal_flickering, with motion taken out of the score."""

from __future__ import annotations

import numpy as np

from dqa.channels.benchmark.view import Finding, View
from dqa.channels.scales import falling
from dqa.measure.signals import Signals
from dqa.measure.temporal import global_flicker, local_flicker
from dqa.record import Evidence


def measure(view: View) -> Finding:
    """Raw: VBench's (255 - mean |I(t) - I(t+1)|) / 255 over RGB. It calls motion flicker, and a still perfect.

    Score: from the second difference of mean brightness, which motion leaves alone, and from brightness by area that
    remains once motion is undone; times the share of the clip that moves at all.
    """
    short = view.too_short()
    if short is not None:
        return short
    signals = view.signals
    swing, local = global_flicker(signals), local_flicker(signals)
    score = falling(swing, 1.2, 1.5) * falling(local, 7.0, 2.0) * view.moving
    text = (
        f"mean brightness swings by {swing:.2f} of 255 levels a frame, areas by {local:.1f} times what motion explains"
    )
    return Finding(score, vbench_flickering(signals), view.gated(text), (_worst(signals),))


def vbench_flickering(signals: Signals) -> float:
    """VBench's value, 0..1."""
    return (255.0 - float(signals.difference.mean())) / 255.0


def _worst(signals: Signals) -> Evidence:
    light = signals.luminance
    at = int(np.argmax(np.abs(light[:-2] - 2 * light[1:-1] + light[2:]))) + 1
    step = light[at] - (light[at - 1] + light[at + 1]) / 2
    start, end = float(signals.times[at - 1]), float(signals.times[at + 1])
    text = f"the greatest swing of brightness, {step:+.1f} levels against its neighbours"
    return Evidence(text=text, frame=at, time_s=(start, end))

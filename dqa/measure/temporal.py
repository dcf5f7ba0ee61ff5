"""How a clip behaves in time, reduced from its signals to one number each, 0 without fault and growing with it."""

from __future__ import annotations

import numpy as np

from dqa.measure.signals import Series, Signals

# Below this speed (short sides per second) flow is mostly its own noise; keeps ratios of a quiet clip finite.
_QUIET_SPEED = 0.03


def jerk_ratio(signals: Signals) -> Series:
    """Pairs from the second on: change of the flow over the mean flow around it; even motion 0.1-0.5, jitter over 1."""
    if signals.motion.size < 2:
        return np.empty(0)
    around = (signals.motion[1:] + signals.motion[:-1]) / 2 + _QUIET_SPEED * signals.intervals[1:]
    return signals.acceleration[1:] / around


def jerkiness(signals: Signals) -> float:
    """Mean change of the flow over the mean flow."""
    if signals.motion.size < 2:
        return 0.0
    moved = float(signals.motion.mean()) + _QUIET_SPEED * float(signals.intervals.mean())
    return float(signals.acceleration[1:].mean()) / moved


def interpolation_ratio(signals: Signals) -> Series:
    """Per interpolated frame: its interpolation error over what warping from one frame leaves (+ half a level).

    The plain error rewards a clip that does not move; against the residual of its own pairs it asks whether a frame
    lies between its neighbours. Real clips have a 90th percentile of about 0.4-1.4, judder and wobble 2-4.
    """
    count = signals.interpolation_error.size
    first = 2 * np.arange(count)
    residual = (signals.residual[first] + signals.residual[first + 1]) / 2
    return signals.interpolation_error / (residual + 0.5)


def global_flicker(signals: Signals) -> float:
    """Mean second difference of mean luma / 4, in levels of 255: brightness that swings from frame to frame.

    The largest twentieth is left out: a cut is one step, not flicker.
    """
    light = signals.luminance
    if light.size < 4:
        return 0.0
    swing = np.sort(np.abs(light[:-2] - 2 * light[1:-1] + light[2:])) / 4
    return float(swing[: max(1, int(np.ceil(swing.size * 0.95)))].mean())


def local_flicker(signals: Signals) -> float:
    """Mean change of brightness by area that motion does not explain, over the motion there is (no unit)."""
    if not signals.motion.size:
        return 0.0
    return float((signals.block_residual / (0.2 + 100 * signals.motion)).mean())


def stutter(signals: Signals) -> float:
    """How far the faster pairs stand out from the two before and after: what is left of a clip with lost frames.

    90th percentile of the log of difference and motion, each over its running median of five pairs, added up. Real
    clips 0.05-0.6; with every fifth frame lost 0.5-1.05.
    """
    if signals.motion.size < 5:
        return 0.0
    per_second = 1 / np.maximum(signals.intervals, 1e-3)
    changes = _outstanding(signals.difference + 0.2) + _outstanding(signals.motion * per_second + _QUIET_SPEED)
    return max(0.0, float(np.percentile(changes, 90)))


def _outstanding(values: Series) -> Series:
    padded = np.pad(values, 2, mode="reflect")
    return np.log(values / np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1))


def speed(signals: Signals) -> Series:
    """Pairs, mean of the largest 5 % of displacements, in short sides per second."""
    return signals.motion_top / np.maximum(signals.intervals, 1e-3)

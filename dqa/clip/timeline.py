"""Presentation times as a viewer lives through them: from 0, strictly increasing, whatever the file claims."""

from __future__ import annotations

import math

FALLBACK_RATE = 25.0
"""Frames per second where a file names no sane rate."""
_MAX_PAUSE_S = 3600.0
_MIN_RATE, _MAX_RATE = 1.0 / _MAX_PAUSE_S, 1000.0


def sane_rate(rate: float | None) -> float:
    """The container's rate in frames per second, or 0 if it is missing or beyond belief."""
    return float(rate) if rate is not None and math.isfinite(rate) and _MIN_RATE <= rate <= _MAX_RATE else 0.0


class Timeline:
    """Places frames in time, in display order.

    A frame without a time follows the one before by a step. A frame at or before the one before it follows by half a
    step, so that one wrong time does not delay all that follow. A jump of more than an hour is taken for a wrong
    time too.

    Args:
        rate: the container's frames per second; 0 if unknown.
    """

    def __init__(self, rate: float) -> None:
        self._step = 1.0 / (sane_rate(rate) or FALLBACK_RATE)
        self._origin: float | None = None
        self._last: float | None = None

    def place(self, seconds: float | None) -> float:
        """The time of the next frame in seconds from the first; ``seconds`` is what the file says, None if nothing."""
        if seconds is not None and self._origin is None:
            self._origin = seconds - (0.0 if self._last is None else self._last + self._step)
        self._last = 0.0 if self._last is None else self._next(self._last, seconds)
        return self._last

    def _next(self, last: float, seconds: float | None) -> float:
        if seconds is None or self._origin is None:
            return last + self._step
        time_s = seconds - self._origin
        if time_s <= last:
            return last + self._step / 2
        return time_s if time_s - last <= _MAX_PAUSE_S else last + self._step

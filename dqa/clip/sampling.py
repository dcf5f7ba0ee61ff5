"""Picks frames evenly in time while a clip streams by, in bounded memory."""

from __future__ import annotations

import math

import cv2
import numpy as np

from dqa.clip.frame import Frame

# Times are sums of rounded durations; a frame this little before its mark still counts as on it.
_SLACK = 1e-6


class EvenSampler:
    """Keeps the first frame of every interval of 1 / ``rate_hz`` seconds, resized.

    When more than ``limit`` have come, the interval doubles and what no longer fits is dropped. The outcome is that of
    having used the longer interval from the start: between ``limit`` / 2 and ``limit`` frames of a long clip,
    evenly spread, the first always among them, whatever the clip's length and frame rate.

    Args:
        rate_hz: frames kept per second at most.
        limit: frames kept at most (at least 2).
        max_side: long side of the kept frames at most, in pixels; None for no bound.
        short_side: short side at most, likewise.
    """

    def __init__(
        self, rate_hz: float, limit: int, *, max_side: int | None = None, short_side: int | None = None
    ) -> None:
        if not (rate_hz > 0 and limit >= 2):
            raise ValueError("rate_hz must be above 0 and limit at least 2")
        self._interval_s = 1.0 / rate_hz
        self._limit = limit
        self._max_side = max_side
        self._short_side = short_side
        self._kept: list[Frame] = []

    def offer(self, frame: Frame) -> None:
        """Shows the next frame of the clip; it is kept if it is the first of its interval."""
        if self._kept and self._slot(frame) <= self._slot(self._kept[-1]):
            return
        self._kept.append(resized(frame, max_side=self._max_side, short_side=self._short_side))
        while len(self._kept) > self._limit:
            self._interval_s *= 2
            self._thin()

    def frames(self) -> tuple[Frame, ...]:
        """What was kept, in time order."""
        return tuple(self._kept)

    def _slot(self, frame: Frame) -> int:
        return math.floor(frame.time_s / self._interval_s + _SLACK)

    def _thin(self) -> None:
        kept: list[Frame] = []
        for frame in self._kept:
            if not kept or self._slot(frame) > self._slot(kept[-1]):
                kept.append(frame)
        self._kept = kept


def still_sampler() -> EvenSampler:
    """The sampler of the stills: 2 a second, 32 at most, long side up to 1280."""
    return EvenSampler(2.0, 32, max_side=1280)


def track_sampler() -> EvenSampler:
    """The sampler of the track: 8 a second, 256 at most, short side up to 256."""
    return EvenSampler(8.0, 256, short_side=256)


def resized(frame: Frame, *, max_side: int | None = None, short_side: int | None = None) -> Frame:
    """The frame scaled down by area interpolation until it fits; itself if it does. ``scale`` follows."""
    height, width = frame.image.shape[:2]
    factor = min(
        1.0,
        (max_side or math.inf) / max(width, height),
        (short_side or math.inf) / min(width, height),
    )
    if factor >= 1.0:
        return frame
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    image = np.asarray(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return Frame(frame.index, frame.time_s, image, frame.scale * width / size[0])

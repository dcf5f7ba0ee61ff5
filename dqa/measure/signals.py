"""What the pixels of a clip say, frame by frame: measured once, in passing, for every channel.

The collector keeps two frames and a few numbers per frame, whatever the clip's length, and sees each frame once
in display order: how the frames were chunked on their way makes no difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from dqa.clip.frame import Frame, Image
from dqa.measure.imaging import Imaging, imaging
from dqa.measure.motion import (
    STILL,
    Field,
    FlowEstimator,
    Grey,
    acceleration,
    block_change,
    grey,
    interpolation_error,
    pair_motion,
    small_copy,
)

Series = NDArray[np.float64]

IMAGING_HZ = 8.0
"""How often a second, at most, a frame's look is measured; it changes more slowly than its motion."""


Part = Literal["motion", "interpolation", "looks"]
ALL_PARTS: frozenset[Part] = frozenset({"motion", "interpolation", "looks"})


@dataclass(frozen=True, slots=True)
class Signals:
    """Measurements of one clip of n frames. Pairs are (i, i + 1), n - 1 of them; empty arrays where there is no pair.

    Attributes:
        times: n, presentation time in s.
        luminance: n, mean luma 0..255.
        difference: pairs, mean |I(i+1) - I(i)| over RGB at native size, 0..255 (VBench's temporal_flickering).
        block_change: pairs, 99th percentile over small cells of the change in mean luma, 0..255.
        motion: pairs, mean flow magnitude as a share of the short side.
        motion_top: pairs, mean of the largest 5 % of flow magnitudes as a share of the short side.
        shift: pairs x 2, median displacement (x, y) as a share of the short side.
        residual: pairs, mean luma difference 0..255 that is left once motion is undone.
        block_residual: pairs, the same for 16 px cells of signed difference: brightness by area.
        acceleration: pairs, change of the flow against the pair before as a share of the short side (first: NaN).
        interpolated_times: m, times of the odd frames that have both neighbours.
        interpolation_error: m, mean difference 0..255 of them from their interpolation (VBench's motion_smoothness).
        looks: what :class:`~dqa.measure.imaging.Imaging` holds, at most 8 times a second.
        look_times, look_frames: when those were taken, in s and as frame index.
    """

    times: Series
    luminance: Series
    difference: Series
    block_change: Series
    motion: Series
    motion_top: Series
    shift: Series
    residual: Series
    block_residual: Series
    acceleration: Series
    interpolated_times: Series
    interpolation_error: Series
    looks: tuple[Imaging, ...]
    look_times: Series
    look_frames: NDArray[np.int64]

    @property
    def frames(self) -> int:
        """How many frames were measured."""
        return int(self.times.size)

    @property
    def intervals(self) -> Series:
        """Pairs, the time from each frame to the next in s."""
        return np.diff(self.times)

    def look(self, name: str) -> Series:
        """One of :class:`~dqa.measure.imaging.Imaging`'s measures as a series over ``look_times``."""
        if name not in {f.name for f in fields(Imaging)}:
            raise ValueError(f"no such measure: {name}")
        return np.array([getattr(look, name) for look in self.looks], np.float64)


@dataclass(slots=True)
class _Previous:
    image: Image
    small: Image
    luma: Grey
    flow: Field | None


@dataclass(slots=True)
class _Rows:
    """The growing columns; one float each per frame or pair."""

    times: list[float] = field(default_factory=list[float])
    luminance: list[float] = field(default_factory=list[float])
    pairs: list[tuple[float, ...]] = field(default_factory=list[tuple[float, ...]])
    interpolated: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    looks: list[tuple[float, int, Imaging]] = field(default_factory=list[tuple[float, int, Imaging]])


class SignalCollector:
    """Measures frames as they pass. Offer every frame of the clip once, in display order.

    Args:
        parts: what to measure beyond luminance and plain differences; a part left out stays 0 (motion) or empty.
    """

    def __init__(self, parts: frozenset[Part] = ALL_PARTS) -> None:
        self._parts = parts
        self._rows = _Rows()
        self._flow = FlowEstimator()
        self._previous: _Previous | None = None
        self._even: Image | None = None
        self._next_look = 0

    def offer(self, frame: Frame) -> None:
        """Measures one frame against the one before it."""
        rows, small = self._rows, small_copy(frame.image)
        luma = grey(small)
        flow = None
        if self._previous is not None:
            flow = self._measure_pair(self._previous, frame.image, luma)
        if "interpolation" in self._parts:
            self._interpolate(small, luma)
        if "looks" in self._parts and frame.time_s * IMAGING_HZ + 1e-6 >= self._next_look:
            self._next_look = int(frame.time_s * IMAGING_HZ + 1e-6) + 1
            rows.looks.append((frame.time_s, frame.index, imaging(frame.image, small)))
        rows.times.append(frame.time_s)
        rows.luminance.append(float(luma.mean()))
        self._previous = _Previous(frame.image, small, luma, flow)

    def _measure_pair(self, before: _Previous, image: Image, luma: Grey) -> Field | None:
        flow, motion = None, STILL
        if "motion" in self._parts:
            flow = self._flow.flow(before.luma, luma)
            motion = pair_motion(flow, before.luma, luma)
        self._rows.pairs.append(
            (
                float(cv2.norm(before.image, image, cv2.NORM_L1)) / image.size,
                block_change(before.luma, luma),
                motion.mean,
                motion.top,
                *motion.shift,
                motion.residual,
                motion.block_residual,
                acceleration(before.flow, flow) if before.flow is not None and flow is not None else float("nan"),
            )
        )
        return flow

    def _interpolate(self, small: Image, luma: Grey) -> None:
        """Called before the frame is counted: every even frame closes the triple around the odd one before it."""
        rows = self._rows
        if len(rows.times) % 2:
            return
        if self._even is not None and self._previous is not None:
            field_ = self._flow.flow(grey(self._even), luma)
            error = interpolation_error(field_, self._even, self._previous.small, small)
            rows.interpolated.append((rows.times[-1], error))
        self._even = small

    def signals(self) -> Signals:
        """Everything measured so far."""
        rows = self._rows
        pairs = np.array(rows.pairs, np.float64).reshape(-1, 9)
        interpolated = np.array(rows.interpolated, np.float64).reshape(-1, 2)
        return Signals(
            times=np.array(rows.times, np.float64),
            luminance=np.array(rows.luminance, np.float64),
            difference=pairs[:, 0],
            block_change=pairs[:, 1],
            motion=pairs[:, 2],
            motion_top=pairs[:, 3],
            shift=pairs[:, 4:6],
            residual=pairs[:, 6],
            block_residual=pairs[:, 7],
            acceleration=pairs[:, 8],
            interpolated_times=interpolated[:, 0],
            interpolation_error=interpolated[:, 1],
            looks=tuple(look for _, _, look in rows.looks),
            look_times=np.array([time for time, _, _ in rows.looks], np.float64),
            look_frames=np.array([index for _, index, _ in rows.looks], np.int64),
        )

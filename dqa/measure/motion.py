"""Optical flow between neighbouring frames, and what it says: how much moves, how evenly, and what it can't explain.

Flow is DIS (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016; OpenCV, preset FAST) on frames
scaled to 320 px on the long side: no learned flow comes inside a package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from dqa.clip.frame import Image

FLOW_SIDE = 320
"""Long side, in pixels, of the frames flow is computed on."""

Grey = NDArray[np.uint8]
Field = NDArray[np.float32]
"""H x W x 2 displacements in pixels of the small frame: where each pixel of the earlier frame goes."""


def small_copy(image: Image) -> Image:
    """``image`` scaled to :data:`FLOW_SIDE` on its long side by area averaging; smaller ones are left as they are."""
    height, width = image.shape[:2]
    ratio = FLOW_SIDE / max(height, width)
    if ratio >= 1:
        return image
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return cast(Image, cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def grey(image: Image) -> Grey:
    """Rec. 601 luma, H x W."""
    return cast(Grey, cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


class FlowEstimator:
    """DIS flow. The same two frames always give the same field: it keeps no state between calls."""

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def flow(self, earlier: Grey, later: Grey) -> Field:
        """Displacement of every pixel of ``earlier``. Frames under 16 px a side carry no usable motion: zeros."""
        height, width = earlier.shape
        if min(height, width) < 16:
            return np.zeros((height, width, 2), np.float32)
        start = np.zeros((height, width, 2), np.float32)
        return cast(Field, self._dis.calc(earlier, later, start))


@dataclass(frozen=True, slots=True)
class PairMotion:
    """Motion from one frame to the next, in shares of the small frame's short side (``mean``, ``top``, ``shift``).

    Attributes:
        mean: mean flow magnitude.
        top: mean of the largest 5 % of magnitudes (VBench's dynamic-degree statistic).
        shift: median displacement (x, y): what the camera does.
        residual: mean absolute luma difference, 0..255, that remains after the motion is undone.
        block_residual: the same over 16 px cells of signed residual: brightness that changes by area, not noise.
    """

    mean: float
    top: float
    shift: tuple[float, float]
    residual: float
    block_residual: float


STILL = PairMotion(mean=0.0, top=0.0, shift=(0.0, 0.0), residual=0.0, block_residual=0.0)
"""No motion, or none measured."""


def pair_motion(field: Field, earlier: Grey, later: Grey) -> PairMotion:
    """Reduces a flow field and its two frames to numbers."""
    height, width = earlier.shape
    side = min(height, width)
    size = cast(Field, cv2.magnitude(field[..., 0], field[..., 1])).ravel()
    count = max(1, size.size // 20)
    # Sorted, not partitioned: the order of the terms is part of a sum in floating point.
    top = float(np.sort(size)[-count:].mean(dtype=np.float64))
    residual = warp(later, field, 1.0).astype(np.float32) - earlier
    cells = cv2.resize(residual, _cells(width, height), interpolation=cv2.INTER_AREA)
    return PairMotion(
        mean=float(size.mean()) / side,
        top=top / side,
        shift=(float(np.median(field[..., 0])) / side, float(np.median(field[..., 1])) / side),
        residual=float(np.abs(residual).mean()),
        block_residual=float(np.abs(cells).mean()),
    )


def block_change(earlier: Grey, later: Grey) -> float:
    """99th percentile over 8 px cells of the change in mean luma, 0..255: near 0 only when nothing moved."""
    height, width = earlier.shape
    change = cv2.resize(
        later.astype(np.float32) - earlier,
        (max(1, width // 8), max(1, height // 8)),
        interpolation=cv2.INTER_AREA,
    )
    return float(np.percentile(np.abs(change), 99))


def acceleration(before: Field, after: Field) -> float:
    """Mean change of the displacement from one pair to the next, in shares of the short side."""
    change = after - before
    size = cast(Field, cv2.magnitude(change[..., 0], change[..., 1]))
    return float(size.mean()) / min(size.shape)


def interpolation_error(field: Field, first: Image, middle: Image, last: Image) -> float:
    """Mean absolute difference, 0..255, between a frame and its interpolation from both neighbours.

    The form of VBench's motion_smoothness (vbench/motion_smoothness.py), with the flow of ``first`` -> ``last``
    halved in place of the AMT network, whose licence forbids commercial use.
    """
    return float(cv2.norm(interpolate(field, first, last), middle, cv2.NORM_L1)) / middle.size


def interpolate(field: Field, first: Image, last: Image) -> Image:
    """The frame halfway: both ends carried half the flow, and averaged."""
    return cast(Image, cv2.addWeighted(warp(first, field, -0.5), 0.5, warp(last, field, 0.5), 0.5, 0))


def warp(image: Image, field: Field, share: float) -> Image:
    """``image`` sampled at every pixel plus ``share`` of its displacement; the border is repeated."""
    height, width = field.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    to_x, to_y = x + share * field[..., 0], y + share * field[..., 1]
    return cast(Image, cv2.remap(image, to_x, to_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _cells(width: int, height: int) -> tuple[int, int]:
    return max(1, width // 16), max(1, height // 16)

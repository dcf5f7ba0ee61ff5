"""What one frame's pixels say about its technical quality and look, without a reference.

Measured at the frame's own size, or, above 1920 px, at 1920 on the long side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from dqa.clip.frame import Image
from dqa.measure.motion import Grey, grey

_LONG_SIDE = 1920
_CELL = 16
_VISIBLE_STEP = 3
_IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


@dataclass(frozen=True, slots=True)
class Imaging:
    """One frame's look.

    Attributes:
        sharpness: share of neighbour contrast that a strong blur takes away, 0 (blurred) .. 1 (crisp).
        noise: standard deviation of grain, in levels of 255, in the flattest quarter of the frame.
        blocking: how much stronger steps across the 8 px coding grid are than those beside it; 0 without blocks.
        contrast: standard deviation of luma / 255.
        dark, bright: share of pixels at either end of the range (< 8, > 247).
        luminance: mean luma / 255.
        colourfulness: Hasler and Süsstrunk's M3; about 15 slightly, 45 quite, 80 highly colourful.
        saliency_x, saliency_y: centroid of detail, 0..1 of width and height.
    """

    sharpness: float
    noise: float
    blocking: float
    contrast: float
    dark: float
    bright: float
    luminance: float
    colourfulness: float
    saliency_x: float
    saliency_y: float


def imaging(image: Image, small: Image) -> Imaging:
    """Measures one frame; ``small`` is its reduced copy, used for what needs no detail."""
    luma = grey(_bounded(image))
    little = grey(small)
    x, y = _detail_centre(little)
    return Imaging(
        sharpness=sharpness(luma),
        noise=noise_sigma(luma),
        blocking=blocking(luma),
        contrast=float(little.std()) / 255,
        dark=float((little < 8).mean()),
        bright=float((little > 247).mean()),
        luminance=float(little.mean()) / 255,
        colourfulness=colourfulness(small),
        saliency_x=x,
        saliency_y=y,
    )


def _bounded(image: Image) -> Image:
    height, width = image.shape[:2]
    ratio = _LONG_SIDE / max(height, width)
    if ratio >= 1:
        return image
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return cast(Image, cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def sharpness(luma: Grey) -> float:
    """1 - the blur metric of Crete et al. (2007), "The blur effect"; the worse of x and y.

    A blurred frame loses little when blurred again. The measure is a ratio, so contrast and content matter little.
    Their mean filter has 9 taps; 5 tell the slight blur of a strong compression from a sharp frame more clearly. Steps
    under 3 levels are left out: a strong blur leaves stairs of single levels, each of them perfectly sharp.
    """
    return min(_sharpness_along(luma, (5, 1)), _sharpness_along(luma, (1, 5)))


def _sharpness_along(luma: Grey, kernel: tuple[int, int]) -> float:
    axis = 1 if kernel[0] > 1 else 0
    if luma.shape[axis] < 2:
        return 0.0
    # 16-bit with 6 bits of fraction: the blur must not round away the faint gradients of a soft frame.
    exact = luma.astype(np.int16) * 64
    blurred = cv2.blur(exact, kernel)
    fine = np.abs(np.diff(exact, axis=axis))
    fine[fine < _VISIBLE_STEP * 64] = 0
    coarse = np.abs(np.diff(blurred, axis=axis))
    lost = np.maximum(fine - coarse, 0)
    total = float(cv2.sumElems(fine)[0])
    return float(cv2.sumElems(lost)[0]) / total if total > 0 else 0.0


def noise_sigma(luma: Grey) -> float:
    """Grain by Immerkaer (1996), "Fast noise variance estimation", in the flattest 16 px cells that are not clipped.

    Over the whole frame texture would count as noise; in the flattest quarter little texture is left. 0 when every
    cell is clipped black or white.
    """
    height, width = luma.shape
    if min(height, width) < 2 * _CELL:
        return 0.0
    response = np.abs(cv2.filter2D(luma, cv2.CV_32F, _IMMERKAER))
    cells = (width // _CELL, height // _CELL)
    area = (slice(0, cells[1] * _CELL), slice(0, cells[0] * _CELL))
    strength = cv2.resize(response[area], cells, interpolation=cv2.INTER_AREA)
    level = cv2.resize(luma[area], cells, interpolation=cv2.INTER_AREA)
    usable = np.sort(strength[(level > 12) & (level < 243)])
    if usable.size < 8:
        return 0.0
    return float(np.sqrt(np.pi / 2) / 6 * usable[: max(1, usable.size // 4)].mean())


def blocking(luma: Grey) -> float:
    """Excess of the mean step across 8 px grid lines over that elsewhere (+ 1 level); after Wang et al., ICIP 2000.

    The level keeps a smooth frame, where the ratio of two invisible steps may be anything, from being called blocky.
    """
    across = (_grid_excess(luma, 1), _grid_excess(luma, 0))
    return max(0.0, sum(across) / 2)


def _grid_excess(luma: Grey, axis: int) -> float:
    if luma.shape[axis] < 25:
        return 0.0
    steps = np.abs(np.diff(luma.astype(np.int16), axis=axis)).mean(axis=1 - axis, dtype=np.float64)
    on_grid = np.arange(steps.size) % 8 == 7
    elsewhere = float(steps[~on_grid].mean())
    return (float(steps[on_grid].mean()) - elsewhere) / (elsewhere + 1.0)


def colourfulness(image: Image) -> float:
    """M3 of Hasler and Süsstrunk (2003), "Measuring colourfulness in natural images"."""
    red, green, blue = (image[..., i].astype(np.float32) for i in range(3))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = float(np.hypot(red_green.std(), yellow_blue.std()))
    return spread + 0.3 * float(np.hypot(red_green.mean(), yellow_blue.mean()))


def _detail_centre(luma: Grey) -> tuple[float, float]:
    height, width = luma.shape
    detail = np.abs(cv2.Laplacian(cv2.GaussianBlur(luma, (0, 0), 2), cv2.CV_32F))
    total = float(detail.sum())
    if total <= 0:
        return 0.5, 0.5
    x = float((detail.sum(axis=0) * (np.arange(width) + 0.5)).sum()) / total / width
    y = float((detail.sum(axis=1) * (np.arange(height) + 0.5)).sum()) / total / height
    return x, y

"""Chooses the still that stands for a clip: one a person would pick as its cover."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dqa.clip.frame import Frame

_SIDE = 192
# Grey levels (0..255): contrast of a picture with something in it, and mean luma of one neither black nor white.
_CONTRAST = 30.0
_DARK, _BRIGHT = 20.0, 235.0
# A step between stills this small (mean grey levels) is no transition worth a verdict.
_STEP = 6.0
_MIDDLE_WEIGHT = 0.1

_Grey = NDArray[np.float32]


def representative_index(stills: Sequence[Frame]) -> int:
    """The index of the still that stands for the clip.

    Each still gets the product of four terms in [0, 1]: contrast and exposure (not black, white or flat), sharpness
    relative to the sharpest still, not being a blend of its neighbours (dissolve or fade), and nearness to the middle
    of the clip, which counts little and decides among equals. Deterministic; the earliest of exact equals wins.

    Args:
        stills: the clip's stills in time order.

    Raises:
        ValueError: there are none.
    """
    if not stills:
        raise ValueError("a clip without stills has no representative")
    greys = _greys(stills)
    values = _content(greys) * _sharpness(greys) * _settled(greys)
    # The constant lets nearness decide where nothing else does: in a clip that is black throughout.
    return int(np.argmax((values + 1e-9) * _middle(stills)))


def _greys(stills: Sequence[Frame]) -> list[_Grey]:
    """Luma at one common small size, so that stills compare pixel by pixel and film grain does not pass for detail."""
    height, width = stills[0].image.shape[:2]
    factor = min(1.0, _SIDE / max(height, width))
    size = (max(3, round(width * factor)), max(3, round(height * factor)))
    return [_grey(frame, size) for frame in stills]


def _grey(frame: Frame, size: tuple[int, int]) -> _Grey:
    small = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.float32)


def _content(greys: list[_Grey]) -> NDArray[np.float64]:
    """Contrast up to a healthy level, and exposure: 1 in the broad middle, falling to 0 towards black and white."""
    mean = np.array([float(grey.mean()) for grey in greys])
    contrast = np.array([float(grey.std()) for grey in greys])
    exposure = np.minimum(mean / _DARK, (255.0 - mean) / (255.0 - _BRIGHT))
    return np.clip(contrast / _CONTRAST, 0.0, 1.0) * np.clip(exposure, 0.0, 1.0)


def _sharpness(greys: list[_Grey]) -> NDArray[np.float64]:
    """Gradient energy per contrast, relative to the sharpest still: a fade lowers both alike, a blur only the first."""
    energy = np.array([_gradient(grey) / (float(grey.std()) + 1.0) for grey in greys])
    return energy / max(float(energy.max()), 1e-9)


def _gradient(grey: _Grey) -> float:
    dx = cv2.Sobel(grey, cv2.CV_32F, 1, 0)
    dy = cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    return float(np.sqrt(np.mean(np.square(dx) + np.square(dy))))


def _settled(greys: list[_Grey]) -> NDArray[np.float64]:
    """1 where a still is itself, towards 0 where it is the mean of its neighbours though they differ: a dissolve.

    For a still f between a and b, the distance of f from the line of blends of a and b, over the distance of a and b.
    An object that moves leaves the line (it is in a third place); a cross-fade and a fade to black stay on it.
    """
    values = np.ones(len(greys))
    for i in range(1, len(greys) - 1):
        values[i] = _off_blend(greys[i - 1], greys[i], greys[i + 1])
    return values


def _off_blend(before: _Grey, still: _Grey, after: _Grey) -> float:
    step = after - before
    length = float(np.sqrt(np.mean(np.square(step))))
    if length < _STEP:
        return 1.0
    share = float(np.mean((still - before) * step)) / length**2
    if not 0.1 < share < 0.9:
        return 1.0
    rest = float(np.sqrt(np.mean(np.square(still - before - share * step))))
    return min(1.0, 0.25 + rest / (0.25 * length))


def _middle(stills: Sequence[Frame]) -> NDArray[np.float64]:
    times = np.array([frame.time_s for frame in stills])
    span = float(times[-1] - times[0])
    if span <= 0:
        return np.ones(len(stills))
    return 1.0 - _MIDDLE_WEIGHT * np.abs(2 * (times - times[0]) / span - 1.0)

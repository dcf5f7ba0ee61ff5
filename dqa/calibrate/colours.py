"""Pixels as the names people give their colours."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from dqa.clip.frame import Image

NAMES = ("black", "grey", "white", "red", "orange", "brown", "yellow", "green", "cyan", "blue", "purple", "pink")
"""The eleven basic colour terms of English (Berlin and Kay, 1969), and cyan."""

_CHROMA = 12.0
_BLACK, _WHITE = 20.0, 85.0
# Where one name ends and the next begins, in degrees of CIELAB hue; sRGB's primaries lie at 40, 136 and 306.
_HUES = (20.0, 52.0, 78.0, 112.0, 170.0, 245.0, 308.0, 345.0)
_BY_HUE = ("pink", "red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")

Lab = NDArray[np.float32]
"""H x W x 3 CIELAB, D65: L* 0..100, a* and b* about -128..127."""


def lab(image: Image) -> Lab:
    """An image in CIELAB."""
    return cast(Lab, cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab))


def colour_shares(pixels: Lab) -> dict[str, float]:
    """The share of each of :data:`NAMES` among pixels (... x 3); all 0 for none.

    >>> shares = colour_shares(lab(np.full((2, 2, 3), (200, 30, 30), np.uint8)))
    >>> max(shares, key=shares.__getitem__)
    'red'
    """
    flat = pixels.reshape(-1, 3)
    found = _indices(flat)
    counts = np.bincount(found, minlength=len(NAMES)) / max(1, len(flat))
    return {name: float(count) for name, count in zip(NAMES, counts, strict=True)}


def _indices(flat: Lab) -> NDArray[np.int64]:
    light, chroma = flat[:, 0], np.hypot(flat[:, 1], flat[:, 2])
    hue = np.degrees(np.arctan2(flat[:, 2], flat[:, 1])) % 360
    by_hue = np.array([NAMES.index(name) for name in _BY_HUE])[np.searchsorted(_HUES, hue, side="right")]
    # Dark orange and dark yellow are called brown, light red pink.
    by_hue = np.where((by_hue == NAMES.index("orange")) & (light < 55), NAMES.index("brown"), by_hue)
    by_hue = np.where((by_hue == NAMES.index("yellow")) & (light < 45), NAMES.index("brown"), by_hue)
    by_hue = np.where((by_hue == NAMES.index("red")) & (light > 68), NAMES.index("pink"), by_hue)
    neutral = np.searchsorted((_BLACK, _WHITE), light, side="right")
    plain = (chroma < _CHROMA) | (light < 8)
    return np.where(plain, neutral, by_hue).astype(np.int64)

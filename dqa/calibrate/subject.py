"""What stands out in a picture: the one region whose colour is not that of the border."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from dqa.calibrate.colours import Lab

_DIFFERENCE = 14.0
"""CIELAB distance by which a subject must differ from the rest: well over what noise leaves on a reduced copy."""

_LEAST, _MOST = 0.004, 0.75
_WHOLE = 0.6
"""Share of what stands out that one connected region must hold; less is a scatter, not a subject."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A region. ``area`` is its share of the frame, ``x`` and ``y`` its centre in 0..1, ``mask`` its pixels (H x W)."""

    area: float
    x: float
    y: float
    mask: NDArray[np.bool_]


def find_subject(pixels: Lab) -> Subject | None:
    """The region that stands out from the border of a small picture; None when nothing does, or no single thing.

    It knows no objects: a subject is what differs from the border's own colour by more than Otsu's threshold, in one
    connected piece.
    """
    smooth = cast(Lab, cv2.GaussianBlur(pixels, (0, 0), 0.8))
    away = np.linalg.norm(smooth - _border(smooth), axis=2).astype(np.float32)
    scaled = np.clip(away * 2, 0, 255).astype(np.uint8)
    level, _ = cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    outside = scaled > level
    share = float(outside.mean())
    if not 0 < share < 1 or float(away[outside].mean() - away[~outside].mean()) < _DIFFERENCE:
        return None
    return _largest(outside, share)


def _border(pixels: Lab) -> Lab:
    """The median colour of a ring along the edges."""
    height, width = pixels.shape[:2]
    ring = max(1, min(height, width) // 12)
    parts = (pixels[:ring], pixels[-ring:], pixels[:, :ring], pixels[:, -ring:])
    return np.median(np.concatenate([part.reshape(-1, 3) for part in parts]), axis=0)


def _largest(outside: NDArray[np.bool_], share: float) -> Subject | None:
    _, labels, stats, centres = cv2.connectedComponentsWithStats(outside.astype(np.uint8), connectivity=8)
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    area = float(stats[best, cv2.CC_STAT_AREA]) / outside.size
    if area < _WHOLE * share or not _LEAST <= area <= _MOST:
        return None
    x, y = (float(centre) + 0.5 for centre in centres[best])
    return Subject(area, x / outside.shape[1], y / outside.shape[0], labels == best)

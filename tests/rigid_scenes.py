"""Synthetic scenes for multi-view geometry: a textured box that a camera goes around, and one whose texture melts."""

from __future__ import annotations

import cv2
import numpy as np

from dqa.clip.frame import Image

SIZE = (160, 240)


def going_around(count: int = 24, degrees: float = 1.5, melt: float = 0.0) -> list[Image]:
    """Views of a corner of three textured walls by a camera that turns around it.

    Args:
        count: how many.
        degrees: turned from view to view.
        melt: px by which points of the walls' textures wander from view to view, each its own way.
    """
    return [_view(np.radians(degrees * (i - count / 2)), melt * i) for i in range(count)]


def _view(angle: float, wandered: float) -> Image:
    height, width = SIZE
    picture = np.zeros((height, width, 3), np.uint8)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    depths = []
    for number, corners in enumerate(_WALLS):
        seen = corners @ turn.T + [0, 0, 4.0]
        depths.append((float(seen[:, 2].mean()), number, seen))
    for _, number, seen in sorted(depths, reverse=True, key=lambda wall: wall[0]):
        flat = np.float32(seen[:, :2] / seen[:, 2:] * 165 + [width / 2, height / 2])
        wall = _melted(_texture(number), wandered, number)
        side = wall.shape[0] - 1
        place = cv2.getPerspectiveTransform(np.float32([[0, 0], [side, 0], [side, side], [0, side]]), flat)
        warped = cv2.warpPerspective(wall, place, (width, height), flags=cv2.INTER_LINEAR)
        covered = cv2.warpPerspective(np.full(wall.shape[:2], 255, np.uint8), place, (width, height)) > 127
        picture[covered] = warped[covered]
    return picture


_WALLS = (
    np.array([[-3.2, -2.2, 1.5], [3.2, -2.2, 1.5], [3.2, 2.2, 1.5], [-3.2, 2.2, 1.5]]),
    np.array([[-1.6, -1.0, 0.4], [0.0, -1.0, -0.9], [0.0, 1.0, -0.9], [-1.6, 1.0, 0.4]]),
    np.array([[0.0, -1.0, -0.9], [1.6, -1.0, 0.4], [1.6, 1.0, 0.4], [0.0, 1.0, -0.9]]),
)


def _texture(seed: int) -> Image:
    rng = np.random.default_rng(seed)
    layers = [cv2.resize(rng.uniform(0, 255, (n, n, 3)).astype(np.float32), (256, 256)) for n in (16, 40, 80)]
    return np.clip(sum(layers) / 3 * 1.6 - 76, 0, 255).astype(np.uint8)


def _melted(wall: Image, wandered: float, seed: int) -> Image:
    if not wandered:
        return wall
    rng = np.random.default_rng(100 + seed)
    drift = [
        cv2.resize(rng.normal(0, 1, (9, 9)).astype(np.float32), (256, 256), interpolation=cv2.INTER_CUBIC) for _ in "xy"
    ]
    x, y = np.meshgrid(np.arange(256, dtype=np.float32), np.arange(256, dtype=np.float32))
    return cv2.remap(
        wall, x + wandered * drift[0], y + wandered * drift[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )

"""Pictures with a known subject on a known background."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as Pictures

from dqa.clip.frame import Image
from dqa.measure.observation import Observation
from tests.observing import observed

RED, BLUE, YELLOW, WHITE = (176, 32, 32), (32, 48, 160), (240, 208, 32), (245, 245, 245)
Colour = tuple[int, int, int]


def scene(background: Colour = RED, patch: Colour = WHITE, side: int = 40, x: int = 190, *, seed: int = 0) -> Image:
    """192 x 320, a square on a plain ground, with grain."""
    picture = np.empty((192, 320, 3), np.float32)
    picture[:] = background
    picture[40 : 40 + side, x : x + side] = patch
    picture += np.random.default_rng(seed).standard_normal(picture.shape, np.float32) * 20
    return picture.clip(0, 255).astype(np.uint8)


def seen(picture: Image) -> Observation:
    return observed([picture], kind="image")


def save(picture: Image, path: Path) -> Path:
    Pictures.fromarray(picture).save(path)
    return path

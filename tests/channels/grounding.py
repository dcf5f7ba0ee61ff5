"""A picture with a red and a blue square, and tiny models whose words for them are made to fit it.

The models have random weights and no sense of position. What they make of each square is read off them once, and given
back as the vector of its word: so it is known where in any picture of these squares a word must be found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dqa.clip.frame import Image
from dqa.models.pool import ModelPool
from dqa.models.profiles import Profile
from dqa.models.proxyclip.grounder import Options, ProxyClip
from tests.models.tiny_vision import component, save_clip, save_vfm

OPTIONS: dict[str, Any] = {"side": 64, "stride": 32, "templates": "few"}
SIDE = 24
HEIGHT, WIDTH = 64, 128
RED, BLUE = (220, 30, 30), (30, 30, 220)
LEFT, RIGHT = (20, 16), (20, 88)
"""Top left corners, y and x."""

Boxes = Mapping[tuple[int, int, int], tuple[int, int]]


def picture(squares: Boxes, height: int = HEIGHT, width: int = WIDTH) -> Image:
    """Squares on grey stripes, which look the same in a mirror."""
    grey = np.repeat(120 + 30 * (np.arange(height)[:, None] // 2 % 2), width, axis=1).astype(np.uint8)
    image = np.repeat(grey[..., None], 3, axis=2)
    for colour, (y, x) in squares.items():
        image[y : y + SIDE, x : x + SIDE] = colour
    return image


BOTH = picture({RED: LEFT, BLUE: RIGHT})


def pool(folder: Path) -> ModelPool:
    """CLIP and a DINO, tiny, on disk."""
    parts = (
        component("clip", save_clip(folder / "clip", positions=False), "hf-clip"),
        component("vfm", save_vfm(folder / "vfm", positions=False), "hf-vfm"),
    )
    profile = Profile(
        name="tiny", title="tiny", device="cpu", budget_gb=1, ready=True, can=("x",), cannot=("y",), channels={},
        components=parts, sha256="0" * 64,
    )  # fmt: skip
    return ModelPool(profile, folder)


def teach(models: ModelPool) -> None:
    """Lets CLIP's words "red ..." and "blue ..." mean what it sees in the squares, and all others the rest."""
    clip = models.get("clip")
    grounder = ProxyClip(clip, models.get("vfm"), Options(**OPTIONS))
    width = int(clip.model.config.projection_dim)
    seen = grounder._logits(BOTH, torch.eye(width))  # the words' axes: each cell's own vector
    inner = SIDE // 4
    vectors = {
        name: seen[:, y + inner : y + SIDE - inner, x + inner : x + SIDE - inner].mean(dim=(1, 2))
        for name, (y, x) in (("red", LEFT), ("blue", RIGHT))
    }
    other = seen[:, :12].mean(dim=(1, 2))
    middle = (vectors["red"] + vectors["blue"] + other) / 3

    def word(text: str, templates: Sequence[str]) -> Tensor:
        return functional.normalize(vectors.get(text.split(maxsplit=1)[0], other) - middle, dim=0)

    clip.word = word

"""DINO and DINOv2 as image encoders: the class token says what a picture shows, and whether it is still the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dqa.clip.frame import Image
from dqa.models.checkpoint import load_model, read_config
from dqa.models.profiles import Component
from dqa.models.snapshot import identity
from dqa.models.vision.pixels import IMAGENET_MEAN, IMAGENET_STD, normalised, pixels, scaled, shorter
from dqa.models.vision.tower import ImageTower

SIDE = 224
"""Shorter side of what the model sees; the picture's proportions are kept, and nothing is cut off."""

_KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "vit": ("ViTModel", {"add_pooling_layer": False}, {"interpolate_pos_encoding": True}),
    "dinov2": ("Dinov2Model", {}, {}),
    "dinov2_with_registers": ("Dinov2WithRegistersModel", {}, {}),
}


class DinoTower(ImageTower):
    """The normed class token of the last layer (Caron et al., ICCV 2021; VBench's subject_consistency)."""

    def parts(self) -> Iterable[nn.Module]:
        """Patches and blocks, which ViT holds itself and DINOv2 in an encoder."""
        blocks = self.model.layers if self.model.config.model_type == "vit" else self.model.encoder.layer
        return self.model.embeddings, *blocks

    def prepare(self, images: Sequence[Image], antialias: bool) -> Tensor:
        """The shorter side scaled to 224, bilinear, ImageNet's mean and deviation (vbench/utils.py dino_transform)."""
        height, width = images[0].shape[:2]
        picture = scaled(pixels(images), shorter(height, width, SIDE), "bilinear", antialias)
        return normalised(picture, IMAGENET_MEAN, IMAGENET_STD)

    def features(self, prepared: Tensor) -> Tensor:
        """The class tokens, n x d."""
        wanted = _KINDS[self.model.config.model_type][2]
        given = prepared.to(self.model.device, self.model.dtype)
        return self.model(pixel_values=given, **wanted).last_hidden_state[:, 0]

    @property
    def width(self) -> int:
        """Length of the class token."""
        return int(self.model.config.hidden_size)


def positions(embeddings: Any, tokens: Tensor, height: int, width: int) -> Tensor:
    """DINO's own position embedding for a picture that is not square, 1 x (1 + h w) x d.

    It adds a tenth of a patch to the wanted size before it scales (vision_transformer.py, interpolate_pos_encoding);
    transformers scales to the whole number, and its vectors differ in the third decimal.
    """
    table = embeddings.position_embeddings
    patch = embeddings.patch_embeddings.patch_size
    across, down = (int(patch[1]), int(patch[0])) if isinstance(patch, tuple) else (int(patch), int(patch))
    known = table.shape[1] - 1
    if tokens.shape[1] - 1 == known and height == width:
        return table
    side = round(known**0.5)
    grid = table[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    factors = [(height // down + 0.1) / side, (width // across + 0.1) / side]
    spread = functional.interpolate(grid, scale_factor=factors, mode="bicubic")
    return torch.cat([table[:, :1], spread.flatten(2).transpose(1, 2)], dim=1)


def load(component: Component, folder: Path, device: str) -> DinoTower:
    """Loads DINO (``facebook/dino-vitb16``) or DINOv2, with or without registers.

    Raises:
        ModelUnavailable: the folder holds no complete model of a kind named above.
    """
    import transformers

    config = read_config(component, folder, _KINDS, "a DINO")
    kind, options, _ = _KINDS[config.model_type]
    model = load_model(component, getattr(transformers, kind), folder, device, options)
    if config.model_type == "vit":
        model.embeddings.interpolate_pos_encoding = partial(positions, model.embeddings)
    tower = DinoTower(model, identity(component, folder))
    tower.stream(folder)
    return tower

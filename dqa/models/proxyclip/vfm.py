"""The vision model whose patch features say what belongs together: DINO, DINOv2 (with or without registers), DINOv3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dqa.models.checkpoint import load_model, read_config
from dqa.models.profiles import Component
from dqa.models.residency.copies import Copies
from dqa.models.snapshot import identity
from dqa.record import ModelIdentity

# Of transformers' model types: which class reads it, what it is built with, what its forward pass wants.
_KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "vit": ("ViTModel", {"add_pooling_layer": False}, {"interpolate_pos_encoding": True}),
    "dinov2": ("Dinov2Model", {}, {}),
    "dinov2_with_registers": ("Dinov2WithRegistersModel", {}, {}),
    "dinov3_vit": ("DINOv3ViTModel", {}, {}),
}


class PatchFeatures:
    """A vision model, asked for the features of patches.

    Args:
        model: one of transformers' models named above, in evaluation mode.
        identity: how a record names it, where that says more than the profile.
    """

    def __init__(self, model: Any, identity: ModelIdentity | None = None) -> None:
        self.identity = identity
        self.model = model
        self.copies = Copies(model)
        size = model.config.patch_size
        self.patch = int(size if isinstance(size, int) else size[0])
        # Before the patches come the class token and the registers, if there are any.
        self._before = 1 + int(getattr(model.config, "num_register_tokens", 0))
        self._wanted = _KINDS[model.config.model_type][2]

    def to(self, device: str) -> None:
        """Moves the weights."""
        self.copies.to(device)

    @torch.inference_mode()
    def features(self, pixels: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Normed last-layer features of the patches, row-major, and their grid.

        Args:
            pixels: 1 x 3 x H x W, normalised as ImageNet's, H and W multiples of the patch.

        Returns:
            N x C float32, and (H // patch, W // patch), whose product is N.
        """
        given = pixels.to(self.model.device, self.model.dtype)
        tokens = self.model(pixel_values=given, **self._wanted).last_hidden_state[0, self._before :]
        height, width = pixels.shape[-2:]
        return tokens.float(), (height // self.patch, width // self.patch)


def load(component: Component, folder: Path, device: str) -> PatchFeatures:
    """Loads the vision model.

    Raises:
        ModelUnavailable: the folder holds no complete model of a kind named above.
    """
    import transformers

    config = read_config(component, folder, _KINDS, "a model that gives features of patches")
    kind, options, _ = _KINDS[config.model_type]
    model = load_model(component, getattr(transformers, kind), folder, device, options)
    return PatchFeatures(model, identity(component, folder))

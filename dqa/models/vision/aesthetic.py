"""LAION's aesthetic predictor: one linear layer on CLIP L/14's vectors, fitted to people's ratings from 1 to 10."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from dqa.models.profiles import Component
from dqa.models.snapshot import identity
from dqa.models.vision.weights import fill, foreign, read
from dqa.record import ModelIdentity


class AestheticHead:
    """Rates pictures by their vectors (LAION-AI/aesthetic-predictor, ``sa_0_4_vit_l_14_linear``; VBench).

    Args:
        layer: d -> 1.
        identity: how a record names it, where that says more than the profile.
    """

    def __init__(self, layer: nn.Linear, identity: ModelIdentity | None = None) -> None:
        self.layer = layer
        self.identity = identity

    @property
    def width(self) -> int:
        """d, the length of the vectors it rates."""
        return self.layer.in_features

    @torch.inference_mode()
    def ratings(self, vectors: Tensor) -> Tensor:
        """n ratings, about 1 to 10, of n x d L2-normalised vectors."""
        return self.layer(vectors.float()).squeeze(dim=-1)


def load(component: Component, folder: Path, device: str) -> AestheticHead:
    """Loads the layer (``weight`` 1 x d and ``bias`` 1); it stays on the CPU, a product of d numbers.

    Raises:
        ModelUnavailable: the weights are not one linear layer with one output.
    """
    del device
    tensors = read(component, folder)
    shape = tuple(tensors["weight"].shape) if "weight" in tensors else ()
    if len(shape) != 2 or shape[0] != 1:
        raise foreign(component, folder, "they are not one linear layer with one output")
    layer = nn.Linear(shape[1], 1)
    fill(component, folder, layer, tensors)
    return AestheticHead(layer, identity(component, folder))

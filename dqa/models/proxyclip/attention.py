"""The attention that stands in for the one of CLIP's last block."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

BETA, GAMMA = 1.2, 3.0
"""Shift and sharpness as published for all data sets and vision models (Lan 2024, adaptive normalisation)."""


def proxy_attention(features: Tensor, beta: float = BETA, gamma: float = GAMMA) -> Tensor:
    """Which patches each patch takes its values from.

    With S the cosine similarities of the patches and m the mean of all of S, row i is the softmax of
    ``gamma (S_ij - beta m)`` over those j where that is not negative (Lan 2024, eq. 5 to 7).

    Where m exceeds 1 / beta (a crop that looks the same everywhere) even a patch's similarity to itself is negative,
    and the published row is empty, hence NaN. The diagonal is therefore always kept: such a patch keeps its own value.
    Where a row is not empty the diagonal, which is its largest entry, belongs to it anyway.

    Args:
        features: N x C, the patches of one crop (the mean is over this crop alone).

    Returns:
        N x N float32; rows sum to 1.
    """
    unit = functional.normalize(features.float(), dim=1)
    similarity = unit @ unit.T
    scores = gamma * (similarity - beta * similarity.mean())
    kept = scores >= 0
    kept.fill_diagonal_(True)
    return scores.masked_fill(~kept, -torch.inf).softmax(dim=1)

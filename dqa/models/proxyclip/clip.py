"""CLIP, dense: words as vectors, and a vector of the same space for every patch of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dqa.models.checkpoint import load_model, load_tokenizer
from dqa.models.profiles import Component
from dqa.models.residency.copies import Copies
from dqa.models.snapshot import identity
from dqa.record import ModelIdentity

_REMEMBERED = 1024


class DenseClip:
    """A CLIP model with its tokenizer.

    Args:
        model: transformers' ``CLIPModel`` in evaluation mode.
        tokenizer: its tokenizer, called with ``padding``, ``truncation`` and ``max_length``.
        identity: how a record names it, where that says more than the profile.
    """

    def __init__(self, model: Any, tokenizer: Any, identity: ModelIdentity | None = None) -> None:
        self.identity = identity
        self.model = model
        self.copies = Copies(model)
        self.tokenizer = tokenizer
        self.patch = int(model.config.vision_config.patch_size)
        self.device: torch.device = model.device
        self.dtype: torch.dtype = model.dtype
        # The background's words come with every picture, and each is eighty sentences long.
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._word)

    def to(self, device: str) -> None:
        """Moves the weights."""
        self.copies.to(device)

    def word(self, word: str, templates: Sequence[str]) -> Tensor:
        """d float32, L2-normalised: the mean of the normalised vectors of the templates filled with a word.

        One word's templates make one batch, so that a vector does not depend on which words are asked for.
        """
        return self._remembered(word, tuple(templates))

    @torch.inference_mode()
    def _word(self, word: str, templates: tuple[str, ...]) -> Tensor:
        # Not str.format: a template's one mark is replaced, whatever braces the word holds.
        texts = [template.replace("{}", word) for template in templates]
        longest = int(self.model.config.text_config.max_position_embeddings)
        tokens = self.tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt")
        found = self.model.get_text_features(
            input_ids=tokens["input_ids"].to(self.device), attention_mask=tokens["attention_mask"].to(self.device)
        )
        vectors = functional.normalize(found.pooler_output.float(), dim=1)
        return functional.normalize(vectors.mean(dim=0), dim=0).cpu()

    @torch.inference_mode()
    def last_input(self, pixels: Tensor) -> Tensor:
        """The tokens that enter the last block, ``hidden_states[-2]``: 1 x (1 + h w) x C.

        Args:
            pixels: 1 x 3 x H x W, normalised as CLIP's, H and W multiples of the patch.
        """
        tower = self.model.vision_model
        hidden = tower.pre_layrnorm(tower.embeddings(pixels.to(self.device), interpolate_pos_encoding=True))
        for layer in tower.encoder.layers[:-1]:
            hidden = layer(hidden, attention_mask=None)
        return hidden

    @torch.inference_mode()
    def patches(self, pixels: Tensor, weights: Tensor, grid: tuple[int, int]) -> Tensor:
        """A vector for every cell of another model's grid (Lan 2024).

        The last block's values, brought to that grid, are mixed by ``weights``, the same for all heads; then its output
        projection, without the residual and the feed-forward part, the final norm and the projection to the space of
        the words.

        Args:
            pixels: as for :meth:`last_input`.
            weights: N x N with N = I J, rows sum to 1.
            grid: I, J.

        Returns:
            N x d float32, L2-normalised, row-major.
        """
        tower = self.model.vision_model
        last = tower.encoder.layers[-1]
        values = last.self_attn.v_proj(last.layer_norm1(self.last_input(pixels)))[0, 1:].float()
        height, width = (side // self.patch for side in pixels.shape[-2:])
        if (height, width) != grid:
            cells = values.T.reshape(1, -1, height, width)
            cells = functional.interpolate(cells, size=grid, mode="bilinear", align_corners=False)
            values = cells[0].flatten(1).T
        mixed = (weights.to(self.device) @ values).to(self.dtype)
        projected = self.model.visual_projection(tower.post_layernorm(last.self_attn.out_proj(mixed)))
        return functional.normalize(projected.float(), dim=1).cpu()


def load(component: Component, folder: Path, device: str) -> DenseClip:
    """Loads CLIP and its tokenizer.

    Raises:
        ModelUnavailable: the folder holds no complete CLIP model with its tokenizer.
    """
    from transformers import CLIPModel

    model = load_model(component, CLIPModel, folder, device)
    return DenseClip(model, load_tokenizer(component, folder), identity(component, folder))

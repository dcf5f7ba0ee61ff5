"""Tiny SigLIP, SigLIP 2 and CLIP models with random weights, saved as real checkpoints are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
import transformers

from tests.models.tiny_vision import save_tokenizer

Kind = Literal["siglip", "siglip2", "clip"]
KINDS: tuple[Kind, ...] = ("siglip", "siglip2", "clip")
_SHAPE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
_PREPARED = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_rescale": True, "do_normalize": True}


def save_contrastive(folder: Path, kind: Kind = "siglip", seed: int = 0, longest: int = 64) -> Path:
    """A model of one of the kinds with its tokenizer and image processor."""
    torch.manual_seed(seed)
    words = save_tokenizer(folder)
    ends = {"bos_token_id": words["<s>"], "eos_token_id": words["</s>"], "pad_token_id": words["</s>"]}
    text = {**_SHAPE, **ends, "vocab_size": len(words), "max_position_embeddings": longest}
    model = _MADE[kind](text)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name and "layrnorm" not in name and "logit_" not in name:
                parameter.normal_(std=0.15)
        if kind != "clip":  # about what SigLIP learned
            model.logit_scale.fill_(4.7)
            model.logit_bias.fill_(-16.5)
    model.save_pretrained(str(folder))
    _processor(kind).save_pretrained(str(folder))
    return folder


def _siglip(text: dict[str, Any]) -> Any:
    vision = {**_SHAPE, "image_size": 32, "patch_size": 8}
    config = transformers.SiglipConfig(text_config={**text, "projection_size": 32}, vision_config=vision)
    return transformers.SiglipModel(config)


def _siglip2(text: dict[str, Any]) -> Any:
    vision = {**_SHAPE, "num_patches": 16, "patch_size": 8}
    config = transformers.Siglip2Config(text_config={**text, "projection_size": 32}, vision_config=vision)
    return transformers.Siglip2Model(config)


def _clip(text: dict[str, Any]) -> Any:
    vision = {**_SHAPE, "image_size": 32, "patch_size": 8}
    return transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=24))


def _processor(kind: Kind) -> Any:
    if kind == "siglip2":
        return transformers.Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16, **_PREPARED)
    if kind == "clip":
        size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
        return transformers.CLIPImageProcessorPil(**size, **_PREPARED)
    return transformers.SiglipImageProcessorPil(size={"height": 32, "width": 32}, **_PREPARED)


_MADE = {"siglip": _siglip, "siglip2": _siglip2, "clip": _clip}

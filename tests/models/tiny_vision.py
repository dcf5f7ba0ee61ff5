"""Tiny CLIP and vision models with random weights, saved as real checkpoints are."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from dqa.models.profiles import Component

Kind = Literal["vit", "dinov2", "dinov2_with_registers", "dinov3_vit"]
KINDS: tuple[Kind, ...] = ("vit", "dinov2", "dinov2_with_registers", "dinov3_vit")


def component(name: str, folder: Path | str, loader: str, **more: Any) -> Component:
    return Component(
        id=name,
        role="grounding",
        loader=loader,
        phase="verification",
        memory_gb=0.01,
        memory_source="tiny",
        licence="MIT",
        hub=str(folder),
        **more,
    )


def save_clip(folder: Path, seed: int = 0, patch: int = 8, image: int = 32, positions: bool = True) -> Path:
    """A CLIP of two blocks; without ``positions`` it can't tell where in a crop a patch lies."""
    torch.manual_seed(seed)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    vocabulary = save_tokenizer(folder)
    config = transformers.CLIPConfig(
        text_config={
            **shape,
            "vocab_size": len(vocabulary),
            "max_position_embeddings": 48,
            "bos_token_id": vocabulary["<s>"],
            "eos_token_id": vocabulary["</s>"],
            "pad_token_id": vocabulary["</s>"],
        },
        vision_config={**shape, "image_size": image, "patch_size": patch},
        projection_dim=24,
    )
    model = transformers.CLIPModel(config)
    _stir(model)
    if not positions:
        torch.nn.init.zeros_(model.vision_model.embeddings.position_embedding.weight)
    model.save_pretrained(str(folder))
    return folder


def save_vfm(
    folder: Path, kind: Kind = "vit", seed: int = 1, patch: int = 4, image: int = 32, positions: bool = True
) -> Path:
    torch.manual_seed(seed)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": image}
    name = {
        "vit": "ViT",
        "dinov2": "Dinov2",
        "dinov2_with_registers": "Dinov2WithRegisters",
        "dinov3_vit": "DINOv3ViT",
    }[kind]
    config = getattr(transformers, f"{name}Config")(**shape, intermediate_size=64, patch_size=patch)
    # facebook/dino-vitb8 comes without a pooler, as here.
    model = getattr(transformers, f"{name}Model")(config, **({"add_pooling_layer": False} if kind == "vit" else {}))
    _stir(model)
    if not positions:
        torch.nn.init.zeros_(model.embeddings.position_embeddings)
    model.save_pretrained(str(folder))
    return folder


def save_tokenizer(folder: Path) -> dict[str, int]:
    """Letters as tokens, between ``<s>`` and ``</s>``."""
    signs = ["<unk>", *string.ascii_lowercase, *string.digits, ".", "-", "<s>", "</s>"]
    vocabulary = {sign: number for number, sign in enumerate(signs)}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    ends = [(sign, vocabulary[sign]) for sign in ("<s>", "</s>")]
    raw.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    folder.mkdir(parents=True, exist_ok=True)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="</s>", unk_token="<unk>"
    ).save_pretrained(str(folder))
    return vocabulary


def _stir(model: Any) -> None:
    """Weights large enough that pictures differ in what the model makes of them; fresh ones are near zero."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name and "layrnorm" not in name and name != "logit_scale":
                parameter.normal_(std=0.15)

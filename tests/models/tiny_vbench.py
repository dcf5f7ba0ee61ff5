"""VBench's five models, tiny and with random weights, saved as the published ones are once they are safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file

from dqa.models.pool import ModelPool
from dqa.models.profiles import Component, Profile
from dqa.models.vision.raft_net import Raft, Widths
from tests.models.tiny_vision import component

IDS = ("dino", "clip-b32", "clip-l14", "head", "raft")
SLIM = Widths((8, 8, 8, 12, 16), (8, 8, 8, 12, 20), corr=(12, 8), flow=(8, 8), motion=12, hidden=8, head=12, mask=12)


def save_image_clip(folder: Path, seed: int, patch: int, whole: bool) -> Path:
    """A CLIP in OpenAI's proportions, or only its image side; the projection is 24 long."""
    shape = {"hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    torch.manual_seed(seed)
    seen = {**shape, "image_size": 224, "patch_size": patch}
    if whole:
        words = {**shape, "vocab_size": 8, "max_position_embeddings": 8}
        model: Any = transformers.CLIPModel(
            transformers.CLIPConfig(text_config=words, vision_config=seen, projection_dim=24)
        )
    else:
        model = transformers.CLIPVisionModelWithProjection(transformers.CLIPVisionConfig(**seen, projection_dim=24))
    wake(model)
    model.save_pretrained(str(folder))
    return folder


def save_dino(folder: Path, seed: int = 1) -> Path:
    """A DINO for 224 px in patches of 16."""
    torch.manual_seed(seed)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    model = transformers.ViTModel(transformers.ViTConfig(**shape, image_size=224, patch_size=16), False)
    wake(model)
    model.save_pretrained(str(folder))
    return folder


def wake(model: Any) -> None:
    """Random weights that make much of small differences: no bias, no place, sharp attention."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or "layrnorm" in name or name == "logit_scale":
                continue
            quiet = name.endswith("bias") or "class_embedding" in name or "cls_token" in name
            parameter.normal_(std=0.02 if quiet or "position" in name else 0.5)


def save_head(folder: Path, width: int = 24, seed: int = 3) -> Path:
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"weight": torch.randn(1, width), "bias": torch.full((1,), 5.0)}, folder / "head.safetensors")
    return folder


def raft(widths: Widths = SLIM, seed: int = 4) -> Raft:
    """Random weights, norms included; its steps are small enough that the flow stays within the picture."""
    torch.manual_seed(seed)
    net = Raft(widths)
    for name, buffer in net.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(std=0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return net.train(False)


def save_raft(folder: Path, widths: Widths = SLIM, seed: int = 4) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(raft(widths, seed).state_dict(), folder / "raft.safetensors")
    return folder


def components(folder: Path) -> tuple[Component, ...]:
    """All five in :data:`IDS`' order, saved under ``folder``."""
    return (
        component("dino", save_dino(folder / "dino"), "hf-dino"),
        component("clip-b32", save_image_clip(folder / "b32", 2, 32, whole=True), "hf-clip-image"),
        component("clip-l14", save_image_clip(folder / "l14", 7, 28, whole=False), "hf-clip-image"),
        component("head", save_head(folder / "head"), "laion-aesthetic"),
        component("raft", save_raft(folder / "raft"), "raft"),
    )


def pool(parts: tuple[Component, ...], home: Path) -> ModelPool:
    facts: dict[str, Any] = {"can": ("x",), "cannot": ("y",), "channels": {}, "sha256": "0" * 64}
    profile = Profile(name="tiny", title="tiny", device="cpu", budget_gb=1, ready=True, components=parts, **facts)
    return ModelPool(profile, home)

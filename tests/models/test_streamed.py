"""Image towers whose weights stay in their file: the same vectors, and only a block of them in memory."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor

from dqa.models.vision import tower as towers
from dqa.models.vision.streamed import stream
from dqa.models.vision.tower import ImageTower
from tests.models.tiny_vbench import pool, save_dino, save_image_clip, wake
from tests.models.tiny_vision import component, save_vfm

rng = np.random.default_rng(0)
IMAGES = [rng.integers(0, 256, (96, 128, 3), dtype=np.uint8) for _ in range(3)]

needs_giving_back = pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="the system takes no memory back")


def saved(kind: str, folder: Path) -> Path:
    if kind == "hf-clip-image":
        return save_image_clip(folder, 2, 32, whole=True)
    return save_dino(folder) if kind == "vit" else save_vfm(folder, kind)  # type: ignore[arg-type]


def loaded(kind: str, folder: Path) -> ImageTower:
    loader = kind if kind == "hf-clip-image" else "hf-dino"
    return pool((component("tower", folder, loader),), folder).get("tower")


@needs_giving_back
@pytest.mark.parametrize("kind", ["hf-clip-image", "vit", "dinov2", "dinov2_with_registers"])
def test_vectors_are_those_of_the_loaded_weights_each_image_by_itself(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved(kind, tmp_path / "model")
    done: list[bool] = []
    monkeypatch.setattr(towers, "stream", lambda *given: done.append(stream(*given)) or done[-1])
    ours = loaded(kind, folder)
    assert done == [True], "every weight was found in the file"
    together = ours.vectors(IMAGES, antialias=True)
    alone = [ours.vectors([image], antialias=True) for image in IMAGES]
    assert torch.equal(together, torch.cat(alone))
    monkeypatch.setattr(towers, "stream", lambda *_: False)
    plain = loaded(kind, folder).vectors(IMAGES, antialias=True)
    torch.testing.assert_close(together, plain, atol=1e-5, rtol=0)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the system does not tell what is in memory")
def test_one_block_is_in_memory_at_a_time(tmp_path: Path) -> None:
    torch.manual_seed(0)
    shape = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 4}
    model = transformers.ViTModel(transformers.ViTConfig(**shape, image_size=32, patch_size=16), False)
    wake(model)
    model.save_pretrained(str(tmp_path))
    path = tmp_path / "model.safetensors"
    ours: Any = loaded("vit", tmp_path)
    during: list[int] = []
    for layer in ours.model.layers:
        layer.layernorm_after.register_forward_hook(lambda *_: during.append(in_memory(path)))
    ours.vectors(IMAGES, antialias=True)
    assert len(during) == 8 * len(IMAGES)
    assert during[0] > 0, "a block's weights are there while it works"
    assert max(during) < path.stat().st_size / 2
    assert in_memory(path) < path.stat().st_size / 8


def in_memory(path: Path) -> int:
    """Bytes of a file that are mapped into this process and present."""
    found, ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ", 1)[0]:
            ours = line.endswith(str(path.resolve()))
        elif ours and line.startswith("Rss:"):
            found += 1024 * int(line.split()[1])
    return found


def test_weights_that_are_not_the_files_are_left_as_they_are(tmp_path: Path) -> None:
    model = transformers.ViTModel.from_pretrained(str(save_dino(tmp_path)), add_pooling_layer=False)
    model.requires_grad_(False)
    weights: Tensor = model.layers[1].mlp.fc1.weight
    weights[0, 0] += 1
    before = {name: parameter.data_ptr() for name, parameter in model.named_parameters()}
    assert not stream(model, (model.embeddings, *model.layers), tmp_path)
    assert {name: parameter.data_ptr() for name, parameter in model.named_parameters()} == before

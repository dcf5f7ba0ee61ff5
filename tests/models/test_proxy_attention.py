"""ProxyCLIP's attention against the formula written as plain loops, and where the formula would give nothing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from dqa.models.proxyclip import clip, vfm
from dqa.models.proxyclip.attention import BETA, GAMMA, proxy_attention
from dqa.models.proxyclip.clip import DenseClip
from tests.models.tiny_vision import KINDS, Kind, component, save_clip, save_vfm

SIZES = [(32, 32), (32, 48), (48, 24), (8, 8)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> DenseClip:
    folder = save_clip(tmp_path_factory.mktemp("clip"))
    return clip.load(component("clip", folder, "hf-clip"), folder, "cpu")


def loops(features: Any, beta: float = BETA, gamma: float = GAMMA) -> list[list[float]]:
    """Cosines, their mean, shift, mask, softmax by rows: one number at a time, in double precision."""
    rows = [[float(v) for v in row] for row in features]
    n = len(rows)
    length = [math.sqrt(sum(v * v for v in row)) for row in rows]
    s = [
        [sum(a * b for a, b in zip(rows[i], rows[j], strict=True)) / length[i] / length[j] for j in range(n)]
        for i in range(n)
    ]
    mean = sum(sum(row) for row in s) / n**2
    weights = []
    for i in range(n):
        scores = [gamma * (s[i][j] - beta * mean) for j in range(n)]
        top = [math.exp(a) if a >= 0 or j == i else 0.0 for j, a in enumerate(scores)]
        weights.append([t / sum(top) for t in top])
    return weights


def dense_by_loops(model: Any, pixels: Any, weights: list[list[float]], grid: tuple[int, int]) -> Any:
    """The last block as written: norm, values, resized, mixed, projected, normed, projected, normalised."""
    tower = model.vision_model
    hidden = tower(pixels, output_hidden_states=True, interpolate_pos_encoding=True).hidden_states[-2]
    block = tower.encoder.layers[-1]
    values = block.self_attn.v_proj(block.layer_norm1(hidden))[0, 1:]
    patch = model.config.vision_config.patch_size
    h, w = pixels.shape[-2] // patch, pixels.shape[-1] // patch
    sampled = np.zeros((grid[0], grid[1], values.shape[1]))
    for i in range(grid[0]):
        for j in range(grid[1]):
            y = min(max((i + 0.5) * h / grid[0] - 0.5, 0), h - 1)
            x = min(max((j + 0.5) * w / grid[1] - 0.5, 0), w - 1)
            y0, x0 = int(y), int(x)
            y1, x1 = min(y0 + 1, h - 1), min(x0 + 1, w - 1)
            corner = {(a, b): values[a * w + b].double().numpy() for a in (y0, y1) for b in (x0, x1)}
            upper = corner[y0, x0] * (1 - x + x0) + corner[y0, x1] * (x - x0)
            lower = corner[y1, x0] * (1 - x + x0) + corner[y1, x1] * (x - x0)
            sampled[i, j] = upper * (1 - y + y0) + lower * (y - y0)
    flat = sampled.reshape(-1, values.shape[1])
    out = []
    for row in weights:
        mixed = sum(weight * value for weight, value in zip(row, flat, strict=True))
        token = block.self_attn.out_proj(torch.tensor(mixed, dtype=torch.float32))
        out.append(functional.normalize(model.visual_projection(tower.post_layernorm(token)), dim=0))
    return torch.stack(out)


@pytest.mark.parametrize("patches", [2, 7, 30])
@pytest.mark.parametrize("common", [0.0, 0.5, 3.0])
def test_weights_are_the_formula_s(patches: int, common: float) -> None:
    drawn = torch.Generator().manual_seed(patches)
    features = torch.randn(patches, 6, generator=drawn) + common
    found = proxy_attention(features)
    assert torch.allclose(found, torch.tensor(loops(features)), atol=1e-5)
    assert torch.allclose(found.sum(dim=1), torch.ones(patches), atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_dense_vectors_are_the_formula_s(tmp_path: Path, tiny: DenseClip, kind: Kind, size: tuple[int, int]) -> None:
    seen = vfm.load(component("vfm", tmp_path, "hf-vfm"), save_vfm(tmp_path, kind), "cpu")
    pixels = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(5))
    features, grid = seen.features(pixels)
    assert grid == (size[0] // 4, size[1] // 4)
    assert len(features) == grid[0] * grid[1]
    found = tiny.patches(pixels, proxy_attention(features), grid)
    with torch.inference_mode():
        wanted = dense_by_loops(tiny.model, pixels, loops(features), grid)
    assert torch.allclose(found, wanted, atol=1e-5)


def test_features_are_the_normed_last_layer_s_patches(tmp_path: Path) -> None:
    """The VFM is asked for patches alone: the class token and the registers before them are left out."""
    for kind, before in zip(KINDS, (1, 1, 5, 1), strict=True):
        folder = save_vfm(tmp_path / kind, kind)
        seen = vfm.load(component("vfm", folder, "hf-vfm"), folder, "cpu")
        pixels = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(6))
        with torch.inference_mode():
            tokens = seen.model(pixels).last_hidden_state[0]
        assert torch.equal(seen.features(pixels)[0], tokens[before + _registers(seen.model, kind) :])


def _registers(model: Any, kind: Kind) -> int:
    return model.config.num_register_tokens if kind == "dinov3_vit" else 0


@pytest.mark.parametrize("similar", [1.0, 0.95, 0.84])
def test_a_crop_that_looks_the_same_everywhere_keeps_each_patch_s_own_value(similar: float) -> None:
    """mean(S) > 1 / beta: published, every row would be empty and hence NaN."""
    common = torch.ones(20, 1) * math.sqrt(similar)
    own = torch.eye(20) * math.sqrt(1 - similar)
    features = torch.cat([common, own], dim=1)
    unit = functional.normalize(features, dim=1)
    assert (unit @ unit.T).mean() > 1 / BETA
    assert torch.allclose(proxy_attention(features), torch.eye(20), atol=1e-6)


def test_a_single_patch_and_features_of_nothing() -> None:
    assert torch.equal(proxy_attention(torch.ones(1, 4)), torch.ones(1, 1))
    nothing = proxy_attention(torch.zeros(5, 4))
    assert torch.isfinite(nothing).all()
    assert torch.allclose(nothing.sum(dim=1), torch.ones(5))


def test_words_that_are_asked_for_do_not_change_each_other(tiny: DenseClip, tmp_path: Path) -> None:
    templates = ["a photo of a {}.", "the {}."]
    alone = tiny.word("cat", templates)
    assert torch.allclose(alone.norm(), torch.tensor(1.0))
    save_clip(tmp_path)
    other = clip.load(component("clip", tmp_path, "hf-clip"), tmp_path, "cpu")
    other.word("a much longer word with { braces } in it", templates)
    assert torch.equal(other.word("cat", templates), alone)
    each = [tiny.word("cat", [template]) for template in templates]
    assert torch.allclose(alone, functional.normalize(each[0] + each[1], dim=0), atol=1e-6)
    assert tiny.word("x" * 400, templates).isfinite().all()

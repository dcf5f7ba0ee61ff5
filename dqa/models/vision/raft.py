"""RAFT as it is used here: the flow from one frame to the next, each frame's features computed once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from dqa.clip.frame import Image
from dqa.models.checkpoint import torch_device
from dqa.models.profiles import Component
from dqa.models.snapshot import identity
from dqa.models.vision.raft_names import torchvision_names
from dqa.models.vision.raft_net import LEVELS, RADIUS, Raft, widths_of
from dqa.models.vision.weights import fill, foreign, read
from dqa.record import ModelIdentity

SMALLEST = 128
"""Under this many pixels a side the coarsest correlation has one cell, and reading between cells is undefined."""


@dataclass(frozen=True, slots=True)
class _Seen:
    frame: Tensor
    features: Tensor


class FlowModel:
    """Optical flow by RAFT.

    Args:
        net: in evaluation mode.
        device: where it lies.
        identity: how a record names it, where that says more than the profile.
    """

    def __init__(self, net: Raft, device: torch.device, identity: ModelIdentity | None = None) -> None:
        self.net = net.to(device)
        self.device = device
        self.identity = identity

    def flows(self, images: Iterable[Image], steps: int) -> Iterator[Tensor]:
        """The flow from each image to the next, 2 x H' x W' float32 in pixels (x, y), on the CPU.

        H' and W' are the images' size brought up to multiples of 8 by repeating the border on all sides (VBench keeps
        those pixels too). Holds two images at a time.

        Args:
            images: RGB of one size, at least 128 pixels a side.
            steps: how often the flow is refined; VBench takes 20.
        """
        for before, after in pairwise(self._seen(image) for image in images):
            yield self._flow(before, after, steps)

    @torch.inference_mode()
    def _seen(self, image: Image) -> _Seen:
        frame = torch.from_numpy(image).permute(2, 0, 1)[None].float().to(self.device)
        frame = 2 * (whole_cells(frame) / 255.0) - 1.0
        return _Seen(frame, self.net.feature_encoder(frame))

    @torch.inference_mode()
    def _flow(self, before: _Seen, after: _Seen, steps: int) -> Tensor:
        pyramid = correlations(before.features, after.features)
        found = self.net.context_encoder(before.frame)
        hidden, context = torch.tanh(found[:, : self.net.hidden]), torch.relu(found[:, self.net.hidden :])
        start = grid(*found.shape[-2:]).to(self.device)
        end = start
        for _ in range(steps):
            hidden, change = self.net.update_block(hidden, context, looked_up(pyramid, end), end - start)
            end = end + change
        # Only the last field is enlarged; the authors' code enlarges every one and keeps the last.
        return enlarged(end - start, self.net.mask_predictor(hidden))[0].cpu()


def whole_cells(frame: Tensor) -> Tensor:
    """Borders repeated evenly on both sides up to multiples of 8."""
    down, across = -frame.shape[-2] % 8, -frame.shape[-1] % 8
    sides = [across // 2, across - across // 2, down // 2, down - down // 2]
    return functional.pad(frame, sides, mode="replicate") if any(sides) else frame


def grid(height: int, width: int) -> Tensor:
    """1 x 2 x h x w: each cell's x and y."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y]).float()[None]


def correlations(first: Tensor, second: Tensor) -> list[Tensor]:
    """How alike every cell of the first is to all of the second, at four scales: (h w) x 1 x h/2^i x w/2^i."""
    _, channels, height, width = first.shape
    alike = first[0].flatten(1).T @ second[0].flatten(1) / channels**0.5
    volume = alike.view(height * width, 1, height, width)
    pyramid = [volume]
    for _ in range(LEVELS - 1):
        volume = functional.avg_pool2d(volume, 2, stride=2)
        pyramid.append(volume)
    return pyramid


def looked_up(pyramid: list[Tensor], ends: Tensor) -> Tensor:
    """The correlations in a 9 x 9 square around where each cell's flow ends, at each scale: 1 x 324 x h x w.

    The square is read row by row along x first, as the published weights expect.
    """
    height, width = ends.shape[-2:]
    centres = ends.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
    steps = torch.linspace(-RADIUS, RADIUS, 2 * RADIUS + 1, device=ends.device)
    square = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), dim=-1)[None]
    rows: list[Tensor] = []
    for level, volume in enumerate(pyramid):
        last = torch.tensor([volume.shape[-1] - 1, volume.shape[-2] - 1], device=ends.device)
        places = 2 * (centres / 2**level + square) / last - 1
        rows.append(functional.grid_sample(volume, places, align_corners=True).view(1, height, width, -1))
    return torch.cat(rows, dim=-1).permute(0, 3, 1, 2).contiguous()


def enlarged(flow: Tensor, mask: Tensor) -> Tensor:
    """1 x 2 x h x w -> 1 x 2 x 8h x 8w: every pixel a convex mix of the nine cells around it (appendix B)."""
    height, width = flow.shape[-2:]
    shares = torch.softmax(mask.view(1, 1, 9, 8, 8, height, width), dim=2)
    around = functional.unfold(8 * flow, (3, 3), padding=1).view(1, 2, 9, 1, 1, height, width)
    mixed = (shares * around).sum(dim=2).permute(0, 1, 4, 2, 5, 3)
    return mixed.reshape(1, 2, 8 * height, 8 * width)


def load(component: Component, folder: Path, device: str) -> FlowModel:
    """Loads RAFT (large) from safetensors with the authors' names (``raft-things``) or torchvision's (``raft_large``).

    Raises:
        ModelUnavailable: the weights are not RAFT's.
    """
    tensors = torchvision_names(read(component, folder))
    try:
        net = Raft(widths_of(tensors))
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        raise foreign(component, folder, "their names are neither the authors' nor torchvision's") from error
    fill(component, folder, net, tensors)
    return FlowModel(net, torch_device(device), identity(component, folder))

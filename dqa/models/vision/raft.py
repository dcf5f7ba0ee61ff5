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

MOST_CELLS = 65_535
"""Most cells whose surroundings are read in one go: cuDNN's ``grid_sample`` takes no larger batch."""

LEAST_CELLS = 1024
"""With fewer at once a 4K frame's likenesses take under 0.7 GB, and other tensors as much."""


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

    Attributes:
        batch: cells (8 x 8 pixels) of the first frame whose likeness to all of the second is in memory at once. A frame
            of no more keeps its likenesses for all steps: 0.8 GB at 720p, 3.9 GB at 1080p, a third more with the
            coarser scales. One of more has them computed again, part by part, in each step.
        full_batch: that while there is memory.
    """

    full_batch = MOST_CELLS

    def __init__(self, net: Raft, device: torch.device, identity: ModelIdentity | None = None) -> None:
        self.batch = self.full_batch
        self.net = net.to(device)
        self.device = device
        self.identity = identity

    def smaller_batch(self) -> bool:
        """A quarter of the cells at once from now on; False where that would save nothing any more."""
        if self.batch <= LEAST_CELLS:
            return False
        self.batch = max(LEAST_CELLS, self.batch // 4)
        return True

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
        likeness = Likeness(before.features, after.features, self.batch)
        found = self.net.context_encoder(before.frame)
        hidden, context = torch.tanh(found[:, : self.net.hidden]), torch.relu(found[:, self.net.hidden :])
        start = grid(*found.shape[-2:]).to(self.device)
        end = start
        for _ in range(steps):
            hidden, change = self.net.update_block(hidden, context, likeness.around(end), end - start)
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


class Likeness:
    """How alike every cell of one frame is to all of another, kept or computed again part by part.

    Args:
        first: features, 1 x C x h x w.
        second: likewise.
        batch: most cells of the first that are compared with all of the second at once.
    """

    def __init__(self, first: Tensor, second: Tensor, batch: int) -> None:
        self._first, self._second, self._batch = first[0].flatten(1), second, batch
        self._whole = correlations(self._first, second) if self._first.shape[1] <= batch else None

    def around(self, ends: Tensor) -> Tensor:
        """The likenesses in a 9 x 9 square around where each cell's flow ends, at each scale: 1 x 324 x h x w."""
        height, width = ends.shape[-2:]
        centres = ends.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
        if self._whole is not None:
            rows = looked_up(self._whole, centres)
        else:
            parts = zip(self._first.split(self._batch, dim=1), centres.split(self._batch), strict=True)
            rows = torch.cat([looked_up(correlations(some, self._second), ends) for some, ends in parts])
        return rows.T.reshape(1, -1, height, width).contiguous()


def correlations(cells: Tensor, second: Tensor) -> list[Tensor]:
    """How alike each cell is to all of the second, at four scales: n x 1 x h/2^i x w/2^i.

    Args:
        cells: C x n. They are scaled, not the product: that is the largest tensor by far, and is to be there once.
        second: 1 x C x h x w.
    """
    channels, height, width = second.shape[1:]
    alike = (cells / channels**0.5).T @ second[0].flatten(1)
    volume = alike.view(-1, 1, height, width)
    pyramid = [volume]
    for _ in range(LEVELS - 1):
        volume = functional.avg_pool2d(volume, 2, stride=2)
        pyramid.append(volume)
    return pyramid


def looked_up(pyramid: list[Tensor], centres: Tensor) -> Tensor:
    """The correlations in a 9 x 9 square around each cell's centre (n x 1 x 1 x 2), at each scale: n x 324.

    The square is read row by row along x first, as the published weights expect.
    """
    steps = torch.linspace(-RADIUS, RADIUS, 2 * RADIUS + 1, device=centres.device)
    square = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), dim=-1)[None]
    rows: list[Tensor] = []
    for level, volume in enumerate(pyramid):
        last = torch.tensor([volume.shape[-1] - 1, volume.shape[-2] - 1], device=centres.device)
        places = 2 * (centres / 2**level + square) / last - 1
        rows.append(functional.grid_sample(volume, places, align_corners=True).flatten(1))
    return torch.cat(rows, dim=-1)


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

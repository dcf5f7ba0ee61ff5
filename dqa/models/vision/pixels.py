"""Pictures as tensors the way VBench prepares them, with its resize or with one that does not alias.

VBench (vbench/utils.py) scales float pixels without antialiasing, and its scores depend on that. ``antialias=True`` is
the same picture without the jagged edges, for everything that need not be compared with VBench.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dqa.clip.frame import Image

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pixels(images: Sequence[Image]) -> Tensor:
    """n x 3 x H x W float32, 0..255, of images of one size."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()


def shorter(height: int, width: int, side: int) -> tuple[int, int]:
    """The size whose shorter side is ``side``; the longer is cut off to whole pixels, as torchvision's Resize does.

    >>> shorter(480, 832, 224), shorter(832, 480, 224)
    ((224, 388), (388, 224))
    """
    short, long = min(height, width), max(height, width)
    longer = int(side * long / short)
    return (side, longer) if height <= width else (longer, side)


def scaled(picture: Tensor, size: tuple[int, int], mode: Literal["bilinear", "bicubic"], antialias: bool) -> Tensor:
    """n x 3 x h x w; itself when it has that size already."""
    if tuple(picture.shape[-2:]) == size:
        return picture
    return functional.interpolate(picture, size=size, mode=mode, align_corners=False, antialias=antialias)


def middle(picture: Tensor, side: int) -> Tensor:
    """The central square of n x 3 x H x W, placed as torchvision's CenterCrop places it."""
    height, width = picture.shape[-2:]
    top, left = round((height - side) / 2.0), round((width - side) / 2.0)
    return picture[..., top : top + side, left : left + side]


def normalised(picture: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """``picture``, 0..255, as shares of 255 less the mean, by the deviation."""
    shift, spread = (torch.tensor(v).view(1, 3, 1, 1) for v in (mean, std))
    return (picture / 255.0 - shift) / spread

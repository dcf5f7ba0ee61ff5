"""Pictures as tensors: scaled, normalised, padded. In torch alone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dqa.clip.frame import Image

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pixels(image: Image) -> Tensor:
    """1 x 3 x H x W float32 in [0, 1]."""
    return torch.tensor(image).permute(2, 0, 1)[None].float() / 255


def normalised(picture: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """``picture``, 1 x 3 x H x W in [0, 1], less the mean, by the deviation."""
    shift, spread = (torch.tensor(v, device=picture.device).view(1, 3, 1, 1) for v in (mean, std))
    return (picture - shift) / spread


def scaled(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """1 x C x height x width, bilinear; averaged over where it shrinks, so that nothing aliases."""
    if tuple(picture.shape[-2:]) == size:
        return picture
    return functional.interpolate(picture, size=size, mode="bilinear", align_corners=False, antialias=True)


def working_size(height: int, width: int, short: int, long: int) -> tuple[int, int]:
    """The size with the same proportions whose shorter side is ``short``, unless the longer would exceed ``long``.

    >>> working_size(720, 1280, 336, 2048), working_size(100, 10000, 336, 2048)
    ((336, 597), (20, 2048))
    """
    factor = min(short / min(height, width), long / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def padded(picture: Tensor, multiple: int) -> Tensor:
    """Zeros to the right and below, up to multiples of ``multiple``."""
    height, width = picture.shape[-2:]
    return functional.pad(picture, (0, -width % multiple, 0, -height % multiple))

"""A large picture through a small window: what overlapping windows say is averaged."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def starts(length: int, window: int, stride: int) -> list[int]:
    """Where windows begin along one side: every ``stride``, the last flush with the end; stride <= window.

    >>> starts(597, 336, 112), starts(300, 336, 112)
    ([0, 112, 224, 261], [0])
    """
    if length <= window:
        return [0]
    return [*range(0, length - window, stride), length - window]


def sliding(picture: Tensor, window: int, stride: int, read: Callable[[Tensor], Tensor]) -> Tensor:
    """The mean over all windows of what ``read`` makes of each.

    Args:
        picture: 1 x 3 x H x W.
        read: 1 x 3 x h x w -> K x h x w, for h, w <= ``window``.

    Returns:
        K x H x W.
    """
    height, width = picture.shape[-2:]
    total: Tensor | None = None
    seen = torch.zeros(height, width)
    for y in starts(height, window, stride):
        for x in starts(width, window, stride):
            rows, columns = slice(y, min(y + window, height)), slice(x, min(x + window, width))
            found = read(picture[..., rows, columns])
            if total is None:
                total = torch.zeros(len(found), height, width)
            total[:, rows, columns] += found
            seen[rows, columns] += 1
    assert total is not None  # noqa: S101 - there is always one window
    return total / seen

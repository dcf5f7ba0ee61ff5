"""Weights that go back and forth between a CUDA device and page-locked host memory.

Nothing here trains, so a model's weights never change: they are copied to the host once, and a later eviction only lets
go of the device's copy. Page-locked ("pinned") memory is read by the device itself, at the bus's own speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


class Copies:
    """Moves one frozen ``torch.nn.Module``.

    Args:
        module: all of its parameters and buffers on one device.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self._masters: dict[int, Tensor] = {}

    def to(self, device: str) -> None:
        """Moves every parameter and buffer; views into one tensor (tied weights) stay one."""
        if device == "cpu":
            self._leave()
        else:
            self._return(torch.device(device))

    def _leave(self) -> None:
        pin = torch.cuda.is_available()
        for tensor in self._tensors():
            if id(tensor) not in self._masters:
                host = tensor.data.to("cpu", copy=True)
                self._masters[id(tensor)] = host.pin_memory() if pin else host
            tensor.data = self._masters[id(tensor)]

    def _return(self, device: torch.device) -> None:
        for tensor in self._tensors():
            tensor.data = self._masters.get(id(tensor), tensor.data).to(device, non_blocking=True)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    def _tensors(self) -> Iterator[Tensor]:
        """Each once: tied weights are one parameter object."""
        seen: set[int] = set()
        for tensor in (*self._module.parameters(), *self._module.buffers()):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                yield tensor

"""Weights that go back and forth between a CUDA device and page-locked host memory.

Nothing here trains, so a model's weights never change: they are copied to the host once, and a later eviction only lets
go of the device's copy. Page-locked ("pinned") memory is read by the device itself, at the bus's own speed.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

_GRAIN = 256
"""Bytes that a tensor's place begins at a multiple of, as on the device."""

_LEAST, _MOST = 2**20, 2**30
"""Bytes of a buffer, at least and (but for a larger tensor) at most. Always a power of two: PyTorch's allocator of
pinned memory rounds each block up to one, so that tensors with a block each would take half as much again."""


@dataclass(frozen=True, slots=True)
class _Held:
    """One tensor of a model, and how to put another in its place."""

    key: Hashable
    tensor: Tensor
    put: Callable[[Tensor], None]


class Copies:
    """Moves one frozen ``torch.nn.Module``.

    Args:
        module: all of its parameters and buffers on one device.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self._masters: dict[Hashable, Tensor] = {}
        self._packed = 0

    @property
    def host_gb(self) -> float:
        """Gigabytes that the copy in host memory takes, or would."""
        return (self._packed or sum(_planned([_size(held.tensor) for held in self._held()]))) / 2**30

    def to(self, device: str) -> None:
        """Moves every parameter and buffer, and what 4 bit keeps beside them; tied weights stay one."""
        if device == "cpu":
            self._leave()
        else:
            self._return(torch.device(device))

    def forget(self) -> None:
        """Gives up the copy in host memory; the next eviction makes another."""
        self._masters, self._packed = {}, 0

    def _leave(self) -> None:
        if not self._masters:
            self._copy()
        for held in self._held():
            held.put(self._masters[held.key])

    def _copy(self) -> None:
        """Straight into pinned buffers, each tensor once."""
        every = list(self._held())
        tensors = list({id(held.tensor): held.tensor for held in every}.values())
        tensors.sort(key=_size, reverse=True)
        sizes = [_size(tensor) for tensor in tensors]
        buffers, places = _places(sizes)
        pin = torch.cuda.is_available()
        made = [torch.empty(size, dtype=torch.uint8, pin_memory=pin) for size in buffers]
        hosts: dict[int, Tensor] = {}
        for tensor, (number, start) in zip(tensors, places, strict=True):
            raw = made[number][start : start + tensor.numel() * tensor.element_size()]
            hosts[id(tensor)] = raw.view(tensor.dtype).as_strided(tensor.shape, _strides(tensor)).copy_(tensor.data)
        self._masters = {held.key: hosts[id(held.tensor)] for held in every}
        self._packed = sum(buffers)

    def _return(self, device: torch.device) -> None:
        back: dict[int, Tensor] = {}
        for held in self._held():
            host = self._masters.get(held.key, held.tensor.data)
            if id(host) not in back:
                back[id(host)] = host.to(device, non_blocking=True)
            held.put(back[id(host)])
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    def _held(self) -> Iterator[_Held]:
        """Each once: tied weights are one parameter object."""
        seen: set[int] = set()
        for tensor in (*self._module.parameters(), *self._module.buffers()):
            if id(tensor) in seen:
                continue
            seen.add(id(tensor))
            yield _Held(id(tensor), tensor, _data_of(tensor))
            yield from _beside(getattr(tensor, "quant_state", None))


def _beside(state: Any) -> Iterator[_Held]:
    """The scales that bitsandbytes keeps of a weight in 4 bit: neither parameters nor buffers, 105 MB of an 8B.

    The state's attribute is what changes, not the tensor: tables are shared with other models and bitsandbytes itself.
    """
    for name, value in list(vars(state).items()) if state is not None else ():
        if isinstance(value, Tensor):
            yield _Held((id(state), name), value, partial(setattr, state, name))
        elif type(value) is type(state):  # double quantisation: the scales' own
            yield from _beside(value)


def _data_of(tensor: Tensor) -> Callable[[Tensor], None]:
    def put(new: Tensor) -> None:
        tensor.data = new

    return put


def _strides(tensor: Tensor) -> tuple[int, ...]:
    """The tensor's own where it fills its memory (channels last is kept), else those of a plain copy."""
    return torch.empty_like(tensor, device="meta").stride()


def _size(tensor: Tensor) -> int:
    return -(-tensor.numel() * tensor.element_size() // _GRAIN) * _GRAIN


def _planned(sizes: Sequence[int]) -> list[int]:
    return _places(sorted(sizes, reverse=True))[0]


def _places(sizes: Sequence[int]) -> tuple[list[int], list[tuple[int, int]]]:
    """Buffers, and in which of them and where each tensor lies, largest tensor first: each into the first with room.

    >>> _places([3 << 20, 1 << 20, 256])
    ([4194304, 1048576], [(0, 0), (0, 3145728), (1, 0)])
    """
    buffers: list[int] = []
    free: list[int] = []
    places: list[tuple[int, int]] = []
    left = sum(sizes)
    for size in sizes:
        number = next((n for n, room in enumerate(free) if room >= size), len(buffers))
        if number == len(buffers):
            fit = 1 << max(0, left.bit_length() - 1)  # no more than what is still to come
            buffers.append(max(_ceil(size), min(fit, _MOST), _LEAST))
            free.append(buffers[-1])
        places.append((number, buffers[number] - free[number]))
        free[number] -= size
        left -= size
    return buffers, places


def _ceil(size: int) -> int:
    return 1 << max(0, size - 1).bit_length()


def give_back() -> None:
    """Host memory of copies that are gone goes back to the system: PyTorch keeps pinned blocks for the next time."""
    gc.collect()  # models hold themselves in circles
    if torch.cuda.is_available():
        torch.accelerator.empty_host_cache()

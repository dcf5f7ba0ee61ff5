"""Weights that stay in their file: a tower on the CPU has one block of them in memory at a time, not all.

The file is mapped, and a block's pages are given back once all images of a call are through it. They come again from
the system's own cache of the file, a few tenths of a second per gigabyte and call; where that cache has no room for
them, the machine could not have held the tower either, and reads it from disk once a call.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

_GIVE_BACK: int | None = getattr(mmap, "MADV_DONTNEED", None)


class WeightsFile:
    """A safetensors file, mapped. A file that takes its place later is not seen: the old one stays mapped.

    Args:
        path: a file that safetensors has read before; here only its header's places are taken.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            # A private mapping: torch wants memory that it could write to, and never does.
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        length = int.from_bytes(self._map[:8], "little")
        self._start = 8 + length
        told: dict[str, Any] = json.loads(self._map[8 : self._start])
        self._places = {name: one for name, one in told.items() if one.get("dtype") == "F32"}
        self._by_ends: dict[tuple[object, ...], list[str]] = {}
        for name in self._places:
            self._by_ends.setdefault(_ends(self.tensor(name)), []).append(name)
            self.give_back(name)

    def find(self, loaded: Tensor) -> str | None:
        """Which tensor of the file a loaded one is, by shape and values: transformers renames some while loading.

        None where it is none of them, or was turned or rearranged.
        """
        names = self._by_ends.get(_ends(loaded), []) if loaded.dtype == torch.float32 else []
        if len(names) > 1:
            names = [name for name in names if torch.equal(self.tensor(name), loaded)]
        return names[0] if names else None

    def tensor(self, name: str) -> Tensor:
        """A view of one of its float32 tensors."""
        first, last = self._span(name)
        shape = self._places[name]["shape"]
        if first == last:
            return torch.empty(shape)
        return torch.frombuffer(self._map, dtype=torch.float32, count=(last - first) // 4, offset=first).view(shape)

    def give_back(self, name: str) -> None:
        """Takes a tensor out of memory until its next use."""
        first, last = self._span(name)
        page = first - first % mmap.PAGESIZE
        if _GIVE_BACK is not None and last > first:
            self._map.madvise(_GIVE_BACK, page, last - page)

    def _span(self, name: str) -> tuple[int, int]:
        first, last = self._places[name]["data_offsets"]
        return self._start + first, self._start + last


def _ends(tensor: Tensor) -> tuple[object, ...]:
    """Shape, first and last values."""
    flat = tensor.detach().flatten()
    return (*tensor.shape, torch.cat([flat[:64], flat[-64:]]).numpy().tobytes())


def stream(model: nn.Module, parts: Iterable[nn.Module], folder: Path) -> bool:
    """Has ``parts`` of a model on the CPU read their weights from ``folder`` as they are used.

    Each part then takes its images one by one, whatever the batch: a row's last bit depends on its image alone.

    Args:
        model: frozen, as transformers loaded it from ``folder``.
        parts: its modules that map n rows to n rows, each row by itself.

    Returns:
        False, with nothing changed, where the system can't give mapped memory back, or a weight of ``parts`` is not in
        the files as it is in the model (another precision, rearranged).
    """
    if _GIVE_BACK is None:
        return False
    files = [WeightsFile(path) for path in sorted(folder.glob("*.safetensors"))]
    plans: list[tuple[nn.Module, list[_Place]]] = []
    for part in parts:
        places = [_found(files, parameter) for parameter in part.parameters()]
        found = [place for place in places if place is not None]
        if len(found) < len(places):
            return False
        plans.append((part, found))
    for part, plan in plans:
        for parameter, place in zip(part.parameters(), plan, strict=True):
            parameter.data = place.tensor
        own: Any = part.forward
        part.forward = partial(_row_by_row, own, plan)
    streamed = {id(parameter) for part, _ in plans for parameter in part.parameters()}
    for parameter in model.parameters():
        if id(parameter) not in streamed:  # as loaded it holds the mapping of the whole file
            parameter.data = parameter.data.clone()
    return True


@dataclass(frozen=True, slots=True)
class _Place:
    file: WeightsFile
    name: str
    tensor: Tensor


def _found(files: Sequence[WeightsFile], loaded: Tensor) -> _Place | None:
    for file in files:
        if (name := file.find(loaded)) is not None:
            return _Place(file, name, file.tensor(name))
    return None


def _row_by_row(forward: Any, weights: Sequence[_Place], rows: Tensor, *others: Any, **named: Any) -> Tensor:
    """``forward`` for each row, then the weights go back; arguments with as many rows are split likewise."""
    count = len(rows)

    def at(value: Any, i: int) -> Any:
        return value[i : i + 1] if isinstance(value, Tensor) and value.dim() and len(value) == count else value

    done = [
        forward(rows[i : i + 1], *(at(other, i) for other in others), **{k: at(v, i) for k, v in named.items()})
        for i in range(count)
    ]
    for place in weights:
        place.file.give_back(place.name)
    return torch.cat(done)

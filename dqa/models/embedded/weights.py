"""Packaged ``.pth`` weights, read once, kept as safetensors in the state folder and always loaded from there.

The one place that calls ``torch.load``: on a file whose SHA-256 the profile pins, with ``weights_only=True``.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import cast

import structlog
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from dqa.errors import ModelUnavailable
from dqa.models.pool import check_hash
from dqa.models.profiles import Component

log = structlog.get_logger(__name__)

CONTENT_SHA256 = {
    "efficientnet-lite0": "5ad152ffe670b787821afd7600f29a49e20ab354961df2cd20bee8105186eb3f",
    "efficientnet-lite2": "7bbdd118d90b883a2265178534c5c96c323075354e7cc0d62ce1dd1d552959d8",
}
"""Component id -> :func:`content_sha256` of its tensors. It does not depend on the container, so that the converted
copy is checked against a pinned value too."""


def load_converted(component: Component, source: Path, home: Path) -> dict[str, Tensor]:
    """The component's tensors by name, from the converted copy in ``home``, made if it is not there yet.

    A state folder that can't be written costs the conversion on each start, nothing more.

    Raises:
        ModelUnavailable: the package's file or the converted copy is not the one the profile names.
    """
    torch.set_num_threads(1)  # more are slower on small machines (docs/measurements.md), and add up in another order
    copy = home / "models" / f"{component.id}-{str(component.sha256)[:12]}.safetensors"
    expected = CONTENT_SHA256[component.id]
    if copy.is_file():
        return _read_copy(component, copy, expected)
    check_hash(component, source)
    published = cast("dict[str, Tensor]", torch.load(source, map_location="cpu", weights_only=True))
    tensors = own(published)
    if content_sha256(tensors) != expected:
        raise ModelUnavailable(
            f"the weights of {component.id} were not read as they should be", fix="install torch==2.13.0"
        )
    _keep(tensors, copy)
    return tensors


def own(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous copies in torch's own memory, which begins at multiples of 64 bytes.

    Tensors that are mapped from a file begin wherever they lie in it, and matrix products add up in another order from
    there: a first run, which converts, and the next, which maps, would differ in the eighth digit.
    """
    return {name: tensor.contiguous().clone() for name, tensor in tensors.items()}


def content_sha256(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of the tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _read_copy(component: Component, copy: Path, expected: str) -> dict[str, Tensor]:
    try:
        tensors = own(load_file(copy))
    except (SafetensorError, OSError):
        tensors = {}
    if not tensors or content_sha256(tensors) != expected:
        raise ModelUnavailable(
            f"the converted weights of {component.id} ({copy.name}) were altered or damaged",
            fix="delete that file in the state folder's models; it is made again on the next run",
        )
    return tensors


def _keep(tensors: dict[str, Tensor], copy: Path) -> None:
    # Written beside its place and moved there: whoever else starts at the same moment sees all of it or nothing.
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=copy.parent, prefix=".converting-") as folder:
            part = Path(folder) / copy.name
            save_file(tensors, part)
            part.replace(copy)
    except (OSError, SafetensorError) as error:
        log.warning("converted weights not kept", file=copy.name, reason=str(error))

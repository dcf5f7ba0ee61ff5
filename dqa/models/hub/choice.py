"""Which files of a hub model are fetched: safetensors and text. Never pickles, never code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

PICKLED = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"}
TEXT = {".json", ".jinja", ".txt"}
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"

_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")


def chosen(names: Iterable[str]) -> tuple[str, ...]:
    """The files of a repository that make up the model, sorted.

    Of weights in several forms only one is taken: ``model.safetensors``, else the shards that its index names, else
    whatever safetensors there are. Nothing in sub-folders is.

    >>> chosen(["config.json", "model.safetensors", "model.fp16.safetensors", "pytorch_model.bin", "x.py", "a/b.json"])
    ('config.json', 'model.safetensors')
    """
    top = sorted(name for name in names if "/" not in name and "\\" not in name)
    return tuple(sorted({*_weights(top), *(name for name in top if _suffix(name) in TEXT)}))


def pickles(names: Iterable[str]) -> tuple[str, ...]:
    """The files that can carry code, sorted."""
    return tuple(sorted(name for name in names if _suffix(name) in PICKLED))


def _weights(names: list[str]) -> list[str]:
    if WEIGHTS in names:
        return [WEIGHTS]
    if INDEX in names and (shards := [name for name in names if _SHARD.fullmatch(name)]):
        return shards
    return [name for name in names if _suffix(name) == ".safetensors"]


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()

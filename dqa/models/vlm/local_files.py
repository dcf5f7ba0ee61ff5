"""Where a local vision-language model's files lie, and whether they are fit to be opened. Nothing is ever fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from dqa.errors import ModelUnavailable
from dqa.models.profiles import Component
from dqa.models.snapshot import PICKLED, snapshot

NEEDED = ("config.json", "tokenizer_config.json")
PREPROCESSORS = ("preprocessor_config.json", "processor_config.json")
_FILES = "config.json, the tokenizer's and the preprocessor's files and *.safetensors"
_SETTING = f"DQA_VLM_FOLDER to a folder with {_FILES}"


def find(component: Component, folder: Path | None) -> Path:
    """The checked folder of a component's model: ``folder`` where one is set, else the profile's (a folder, or cached).

    Raises:
        ModelUnavailable: it is not on this machine, or the profile pins no revision, or see :func:`check`.
    """
    if folder is None:
        try:
            return check(snapshot(component))
        except ModelUnavailable as error:
            raise ModelUnavailable(error.what, fix=f"{error.fix}, or set {_SETTING}", where=error.where) from None
    if not folder.is_dir():
        raise ModelUnavailable("there is no such model folder", fix=f"set {_SETTING}", where=str(folder))
    return check(folder)


def check(folder: Path) -> Path:
    """The same folder, if a model can be loaded from it without running anyone's code.

    Raises:
        ModelUnavailable: a file is missing or can carry code, or the model needs code of its own.
    """
    names = sorted(path.name for path in folder.iterdir())
    if refused := next((name for name in names if Path(name).suffix.lower() in PICKLED), None):
        raise _unfit(folder, f"the model's folder holds {refused}, which can carry code", "use a copy in safetensors")
    missing = [name for name in NEEDED if name not in names]
    if not any(name in names for name in PREPROCESSORS):
        missing.append(PREPROCESSORS[0])
    if not any(name.endswith(".safetensors") for name in names):
        missing.append("*.safetensors")
    missing += [name for name in _shards(folder) if name not in names]
    if missing:
        raise _unfit(folder, f"the model's folder lacks {missing[0]}", f"put it there: a model is {_FILES}")
    if "auto_map" in _json(folder / "config.json"):
        raise _unfit(folder, "the model wants to run code of its own", "use one of transformers' own classes (-HF)")
    return folder


def _shards(folder: Path) -> list[str]:
    """The files that the index names; an interrupted copy lacks some."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return []
    weights: Mapping[str, object] = _json(index).get("weight_map", {})
    return sorted({str(name) for name in weights.values()})


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        data = None
    if not isinstance(data, dict):
        raise _unfit(path.parent, f"{path.name} is not readable as a JSON object", "copy the model again")
    return cast("dict[str, Any]", data)


def _unfit(folder: Path, what: str, fix: str) -> ModelUnavailable:
    return ModelUnavailable(what, fix=fix, where=str(folder))

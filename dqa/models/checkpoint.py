"""Loads a transformers model from a checked folder: safetensors only, no code of others, nothing left at random."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from dqa.errors import ModelUnavailable
from dqa.models.exhausted import ran_out
from dqa.models.profiles import Component

FIX = "fetch the model again (its folder needs config.json and all of its *.safetensors), or name another one"
_TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
KEPT: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


def torch_device(device: str) -> torch.device:
    """The device of a profile: ``cuda`` where there is one, else the CPU."""
    return torch.device("cuda" if device == "cuda" and torch.cuda.is_available() else "cpu")


def read_config(component: Component, folder: Path, types: Collection[str], needed: str) -> Any:
    """What a model's ``config.json`` says.

    Args:
        types: transformers' model types that will do.
        needed: what such models are, e.g. ``a DINO``.

    Raises:
        ModelUnavailable: it names another type, or none that transformers knows.
    """
    from transformers import AutoConfig

    fix = f"name a model of one of these types: {', '.join(types)}"
    try:
        config: Any = AutoConfig.from_pretrained(str(folder), **KEPT)
    except (OSError, ValueError, KeyError) as error:
        what = f"{component.id} is a model that is not known here, not {needed}"
        raise ModelUnavailable(what, fix=fix, where=str(folder)) from error
    if config.model_type not in types:
        raise ModelUnavailable(f"{component.id} is a {config.model_type}, not {needed}", fix=fix, where=str(folder))
    return config


def load_model(
    component: Component, kind: Any, folder: Path, device: str, options: Mapping[str, Any] | None = None
) -> Any:
    """The model in evaluation mode, frozen, in half precision on a GPU and float32 elsewhere.

    Args:
        kind: the transformers class, e.g. ``CLIPModel``.
        folder: as :func:`dqa.models.snapshot.snapshot` found it.
        device: ``cpu`` or ``cuda``.

    Raises:
        ModelUnavailable: the files are damaged or of another kind, or lack weights: transformers would fill those with
            random numbers and go on.

    Memory that runs out is raised as it came (:func:`dqa.models.exhausted.ran_out`).
    """
    from transformers.utils import logging

    logging.disable_progress_bar()  # it would write over the command line's own
    place = torch_device(device)
    half = torch.float16 if place.type == "cuda" else torch.float32
    wanted = {"use_safetensors": True, "dtype": half, "output_loading_info": True, **KEPT, **(options or {})}
    try:
        model, told = kind.from_pretrained(str(folder), **wanted)
    except Exception as error:  # damaged files fail in safetensors', json's and torch's own ways
        if ran_out(error):
            raise
        why = str(error).strip().splitlines() or [type(error).__name__]
        raise _broken(component, f"can't be loaded ({why[0][:200]})", folder) from error
    lacking = sorted({*told["missing_keys"], *(str(key) for key in told["mismatched_keys"])})
    if lacking:
        raise _broken(component, f"lacks {len(lacking)} of its weights, such as {lacking[0]}", folder)
    model.requires_grad_(False)
    return model.to(place)  # from_pretrained gives it in evaluation mode


def load_tokenizer(component: Component, folder: Path) -> Any:
    """The tokenizer in a model's folder.

    Raises:
        ModelUnavailable: there is none, or it is damaged.
    """
    from transformers import AutoTokenizer

    # Without them transformers makes an empty tokenizer, and every word becomes the same one.
    if not any(all((folder / name).is_file() for name in files) for files in _TOKENIZERS):
        raise ModelUnavailable(f"{component.id} has no tokenizer.json", fix=FIX, where=str(folder))
    try:
        return AutoTokenizer.from_pretrained(str(folder), **KEPT)
    except Exception as error:  # damaged or missing, it fails in many ways
        raise ModelUnavailable(f"{component.id} has no usable tokenizer", fix=FIX, where=str(folder)) from error


def _broken(component: Component, what: str, folder: Path) -> ModelUnavailable:
    return ModelUnavailable(f"the model {component.id} {what}", fix=FIX, where=str(folder))

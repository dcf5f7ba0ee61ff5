"""Weights that come without a configuration: one safetensors file, whose shapes say what the model is."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dqa.errors import ModelUnavailable
from dqa.models.profiles import Component


def read(component: Component, folder: Path) -> dict[str, Tensor]:
    """The tensors of the one ``*.safetensors`` in ``folder``, as float32 on the CPU.

    Raises:
        ModelUnavailable: there are several, or it is damaged.
    """
    files = sorted(folder.glob("*.safetensors"))
    if len(files) != 1:
        what = f"the folder of {component.id} holds {len(files)} files of weights"
        raise ModelUnavailable(what, fix="keep the one that is wanted in a folder of its own", where=str(folder))
    try:
        return {name: tensor.float() for name, tensor in load_file(files[0]).items()}
    except (SafetensorError, OSError) as error:
        raise foreign(component, folder, "they can't be read") from error


def fill(component: Component, folder: Path, model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Gives ``model`` these weights and freezes it, in evaluation mode.

    Raises:
        ModelUnavailable: a weight is missing, one too many, or of another shape.
    """
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise foreign(component, folder, str(error).strip().splitlines()[-1].strip()[:200]) from error
    model.train(False).requires_grad_(False)


def foreign(component: Component, folder: Path, why: str) -> ModelUnavailable:
    """The error of weights that are not what the loader reads."""
    return ModelUnavailable(
        f"the weights of {component.id} are not those of a {component.loader} ({why})",
        fix="name a folder with the published weights, converted to safetensors under their own names",
        where=str(folder),
    )

"""Where the files of a model from the hub lie on this machine: a folder, or the hub's local cache. Never the network.

Only what can't carry code is accepted: safetensors and JSON. Weights in pickles are refused even where their folder is
trusted, since nothing here would notice that they were swapped.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from dqa.errors import ModelUnavailable
from dqa.models.pool import check_hash
from dqa.models.profiles import Component
from dqa.record import ModelIdentity

PICKLED = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"}
WEIGHTS = "model.safetensors"


def snapshot(component: Component) -> Path:
    """The folder with ``config.json`` and ``*.safetensors`` of a component.

    ``component.hub`` is an absolute folder, or an id on the hub; then ``component.revision`` says which version, and
    it must be in the local cache. A SHA-256 that the component names is that of its one file ``model.safetensors``.

    Raises:
        ModelUnavailable: it names no model or no revision, the model is not on this machine, it has no weights in
            safetensors, or they are not the ones named.
    """
    folder = _folder(component)
    names = {path.name for path in folder.iterdir()}
    if "config.json" not in names:
        raise ModelUnavailable(f"the files of {component.id} lack config.json", fix=_fix(component), where=str(folder))
    if not any(name.endswith(".safetensors") for name in names):
        pickled = sorted(name for name in names if Path(name).suffix.lower() in PICKLED)
        what = f"its weights are a pickle ({pickled[0]}), which can carry code" if pickled else "it has no weights"
        raise ModelUnavailable(
            f"{component.id} is not in safetensors: {what}",
            fix="name a revision that has *.safetensors, or convert the weights on a machine you can lose",
            where=str(folder),
        )
    if component.sha256 is not None:
        _check(component, folder)
    return folder


def identity(component: Component, folder: Path) -> ModelIdentity:
    """How a record names what was loaded from ``folder``.

    A pinned revision or hash says it already. A folder of one's own is named by its :func:`fingerprint`.
    """
    named = component.identity()
    if named.sha256 is not None or component.revision is not None:
        return named
    return named.model_copy(update={"sha256": fingerprint(folder)})


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and contents of everything that shapes a model's answers; reads all weights once."""
    whole = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in {".safetensors", ".json", ".jinja", ".txt"}:
            with path.open("rb") as file:
                whole.update(f"{path.name}\n{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def _folder(component: Component) -> Path:
    if component.hub is None:
        raise ModelUnavailable(f"model {component.id} is not part of this version", fix="use --profile embedded")
    if Path(component.hub).is_absolute():
        if Path(component.hub).is_dir():
            return Path(component.hub)
        raise ModelUnavailable(
            f"the folder of {component.id} does not exist", fix="correct hub in the profile", where=component.hub
        )
    if component.revision is None:
        raise ModelUnavailable(f"{component.id} names no revision", fix="pin one in the profile: revision = a commit")
    return cached(component.hub, component.revision, _fix(component))


def cached(hub: str, revision: str | None, fix: str) -> Path:
    """The folder of a hub model in the local cache.

    Raises:
        ModelUnavailable: it is not there; ``fix`` says what to do.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError, ValueError):
        raise ModelUnavailable(f"the model {hub} is not on this machine", fix=fix) from None


def _fix(component: Component) -> str:
    return (
        f"fetch it once where there is a network (hf download {component.hub} --revision {component.revision} "
        "--include '*.json' '*.jinja' '*.txt' '*.safetensors'), or give an absolute folder as hub in the profile"
    )


def _check(component: Component, folder: Path) -> None:
    path = folder / WEIGHTS
    if not path.is_file():
        raise ModelUnavailable(f"{component.id} names a SHA-256 but has no {WEIGHTS}", fix=_fix(component))
    check_hash(component, path)

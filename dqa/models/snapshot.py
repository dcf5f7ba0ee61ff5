"""Where the files of a model from the hub lie on this machine: a folder, or the hub's local cache. Never the network.

Only what can't carry code is accepted: safetensors and JSON. Weights in pickles are refused even where their folder is
trusted, since nothing here would notice that they were swapped.
"""

from __future__ import annotations

from pathlib import Path

from dqa.errors import ModelUnavailable
from dqa.models.digests import known_digest
from dqa.models.hub.choice import PICKLED, WEIGHTS
from dqa.models.hub.client import cached as cached_file
from dqa.models.hub.files import altered
from dqa.models.pool import check_hash
from dqa.models.profiles import Component, whole
from dqa.record import ModelIdentity

UNCONFIGURED = {"raft", "laion-aesthetic"}
"""Loaders of weights whose shapes say all there is to know: their folder needs no ``config.json``."""


def snapshot(component: Component) -> Path:
    """The folder with ``config.json`` and ``*.safetensors`` of a component.

    ``component.hub`` is an absolute folder, or an id on the hub; then ``component.revision`` says which version, and
    it must be in the local cache. Files that the component names (:func:`dqa.models.hub.lock.pinned`) must be those:
    the size is looked at always, the hash is taken where a file's time of change is not the one it was checked at.
    A SHA-256 that the component names is that of its one file ``model.safetensors``.

    Raises:
        ModelUnavailable: it names no model, it was not pulled, the model is not on this machine, it has no weights in
            safetensors, or they are not the ones named.
    """
    folder = _folder(component)
    names = {path.name for path in folder.iterdir()}
    if "config.json" not in names and component.loader not in UNCONFIGURED:
        raise ModelUnavailable(f"the files of {component.id} lack config.json", fix=_fix(component), where=str(folder))
    if not any(name.endswith(".safetensors") for name in names):
        pickled = sorted(name for name in names if Path(name).suffix.lower() in PICKLED)
        what = f"its weights are a pickle ({pickled[0]}), which can carry code" if pickled else "it has no weights"
        raise ModelUnavailable(
            f"{component.id} is not in safetensors: {what}",
            fix="name a revision that has *.safetensors, or convert the weights on a machine you can lose",
            where=str(folder),
        )
    if component.files:
        _check_files(component, folder)
    elif component.sha256 is not None:
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


def fingerprint(folder: Path, home: Path | None = None) -> str:
    """SHA-256 over the names and contents of everything that shapes a model's answers.

    Weights are read once, and again where their size or time of change is another (:mod:`dqa.models.digests`).

    Args:
        home: state folder, in which their hashes are kept for the next process; None: this one remembers alone.
    """
    kinds = {".safetensors", ".json", ".jinja", ".txt"}
    named = (path for path in folder.iterdir() if path.suffix in kinds and path.is_file())
    return whole({path.name: known_digest(path, home) for path in named})


def _folder(component: Component) -> Path:
    if component.hub is None and component.origin is not None:
        raise ModelUnavailable(
            f"the model {component.id} is on no hub in safetensors, and its folder does not exist",
            fix=f"convert {component.origin}, and put it into models/{component.id} of the state folder"
            " (docs/how-to/models.md)",
        )
    if component.hub is None:
        raise ModelUnavailable(f"model {component.id} is not part of this version", fix="use --profile embedded")
    if Path(component.hub).is_absolute():
        if Path(component.hub).is_dir():
            return Path(component.hub)
        raise ModelUnavailable(
            f"the folder of {component.id} does not exist", fix="correct hub in the profile", where=component.hub
        )
    if component.revision is None:
        raise ModelUnavailable(
            f"the model {component.id} ({component.hub}) was not pulled yet, and no revision of it is pinned",
            fix=_fix(component),
        )
    name = "config.json" if "config.json" in component.files or not component.files else min(component.files)
    return cached(component.hub, component.revision, _fix(component), name)


def cached(hub: str, revision: str | None, fix: str, name: str = "config.json") -> Path:
    """The folder of a hub model in the local cache, by a file ``name`` that it must have.

    Raises:
        ModelUnavailable: it is not there; ``fix`` says what to do.
    """
    found = cached_file(hub, revision, name)
    if found is None:
        raise ModelUnavailable(f"the model {hub} is not on this machine", fix=fix)
    return found.parent


def pull_command(component: Component) -> str:
    """The command that fetches a component."""
    profile = f" --profile {component.profile}" if component.profile else ""
    accept = "" if component.free else " --accept-licence"
    return f"dqa models pull{profile}{accept} {component.id}"


def _fix(component: Component) -> str:
    return f"run {pull_command(component)} once where there is a network"


def _check_files(component: Component, folder: Path) -> None:
    try:
        wrong = altered(folder, component.files, again=False) or _against_profile(component)
    except OSError as error:
        wrong = f"a file can't be read ({error.strerror})"
    if wrong is not None:
        raise ModelUnavailable(
            f"the files of {component.id} are not the ones that were pulled: {wrong}",
            fix=_fix(component),
            where=str(folder),
        )


def _against_profile(component: Component) -> str | None:
    """What the lock says against a hash that the profile names: the profile is right."""
    pin = component.files.get(WEIGHTS)
    if component.sha256 is None or (pin is not None and pin.sha256 == component.sha256):
        return None
    return f"{WEIGHTS} is not the one that the profile names"


def _check(component: Component, folder: Path) -> None:
    path = folder / WEIGHTS
    if not path.is_file():
        raise ModelUnavailable(f"{component.id} names a SHA-256 but has no {WEIGHTS}", fix=_fix(component))
    check_hash(component, path)

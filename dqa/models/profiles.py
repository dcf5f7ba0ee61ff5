"""Profiles: which model fills which channel on which kind of machine, as data (``workers/*.toml``)."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dqa.errors import ConfigError
from dqa.record import ChannelName, ModelIdentity
from dqa.resources import deployment_folder

Phase = Literal["verification", "benchmark", "preference", "synthesis", "training"]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FilePin(_Data):
    """One file of a model, as it was when it was pulled.

    Attributes:
        size: in bytes.
        mtime_ns: of the file whose hash was last taken; while it stands, the hash need not be taken again.
    """

    sha256: str
    size: int = Field(ge=0)
    mtime_ns: int | None = None


class Component(_Data):
    """One set of weights.

    Attributes:
        loader: a name in :mod:`dqa.models.pool`; none for what can only be planned for.
        package: the distribution the weights come in, for the packaged ones.
        file: path of the weights inside that package.
        memory_gb: what it takes on the device once loaded.
        memory_source: where ``memory_gb`` comes from: ``measured``, or who states it.
        hub: id on the Hugging Face hub, or an absolute folder.
        revision: of the hub id, a commit; None: the commit that was pulled first (:mod:`dqa.models.hub.lock`).
        sha256: of the packaged file, or of the hub model's one ``model.safetensors``; a byte that differs is refused.
        origin: where its authors publish it, for what the hub has in no safetensors: then it is read from
            ``$DQA_HOME/models/<id>``.
        files: every file of a hub model that was pulled, by name.
        profile: the profile it is read from.
        default: False for weights that a user must ask for (licence).
        only_with: the setting without which nothing of it is ever loaded, so that nothing is reckoned for it either.
        arguments: how it is loaded, in the loader's words.
    """

    id: str
    role: str
    loader: str | None = None
    phase: Phase
    memory_gb: float = Field(ge=0)
    memory_source: str
    licence: str
    package: str | None = None
    version: str | None = None
    file: str | None = None
    hub: str | None = None
    revision: str | None = None
    sha256: str | None = None
    size_mb: float | None = None
    weakness: str | None = None
    origin: str | None = None
    files: dict[str, FilePin] = Field(default_factory=dict[str, FilePin])
    profile: str | None = None
    default: bool = True
    only_with: Literal["taste_model"] | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)

    def identity(self) -> ModelIdentity:
        """How a record names this model."""
        return ModelIdentity(
            id=self.id,
            revision=self.revision or (f"{self.package}=={self.version}" if self.package else None),
            sha256=self.sha256 or (whole({n: pin.sha256 for n, pin in self.files.items()}) if self.files else None),
            licence=self.licence,
            weakness=self.weakness,
        )

    @property
    def on_hub(self) -> bool:
        """Whether its files come from the hub, rather than from a package, a folder or another machine."""
        return self.hub is not None and not Path(self.hub).is_absolute()


def whole(hashes: Mapping[str, str]) -> str:
    """One SHA-256 for a model of several files, from theirs by name, whatever their order."""
    digest = hashlib.sha256()
    for name, found in sorted(hashes.items()):
        digest.update(f"{name}\n{found}\n".encode())
    return digest.hexdigest()


class ChannelSpec(_Data):
    """Which backend judges a channel, with which components and arguments: enough to build the same judge again."""

    backend: str
    components: tuple[str, ...] = ()
    arguments: dict[str, Any] = Field(default_factory=dict)


class Profile(_Data):
    """One kind of machine.

    Attributes:
        ready: False while the channels of this profile are not part of this version; then it can be
            planned for, not evaluated with.
    """

    name: str
    title: str
    device: Literal["cpu", "cuda", "remote"]
    budget_gb: float = Field(gt=0)
    ready: bool
    can: tuple[str, ...]
    cannot: tuple[str, ...]
    channels: dict[ChannelName, ChannelSpec]
    components: tuple[Component, ...]
    sha256: str

    def component(self, component_id: str) -> Component:
        """The component with that id; raises ``KeyError`` if the profile has none."""
        for component in self.components:
            if component.id == component_id:
                return component
        raise KeyError(component_id)


def profile_names() -> list[str]:
    """The names of all profiles, sorted."""
    return sorted(path.stem for path in deployment_folder("workers").glob("*.toml"))


def load_profile(name: str) -> Profile:
    """Reads ``workers/<name>.toml``.

    Raises:
        ConfigError: there is no such profile, or its file is malformed.
    """
    if name not in profile_names():
        raise ConfigError(f"there is no profile {name!r}", fix=f"use one of {', '.join(profile_names())}")
    path = deployment_folder("workers") / f"{name}.toml"
    return _read(path)


def _read(path: Path) -> Profile:
    text = path.read_bytes()
    try:
        data = tomllib.loads(text.decode("utf-8"))
        for component in data.get("components", []):
            component["profile"] = path.stem
        return Profile(name=path.stem, sha256=hashlib.sha256(text).hexdigest(), **data)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError, TypeError) as error:
        raise ConfigError(f"not a profile ({error})", fix="correct the file", where=path.name) from None

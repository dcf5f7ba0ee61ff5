"""Profiles: which model fills which channel on which kind of machine, as data (``workers/*.toml``)."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dqa.errors import ConfigError
from dqa.record import ChannelName, ModelIdentity
from dqa.resources import deployment_folder

Phase = Literal["verification", "benchmark", "preference", "synthesis", "training"]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Component(_Data):
    """One set of weights.

    Attributes:
        loader: a name in :mod:`dqa.models.pool`; none for what can only be planned for.
        package: the distribution the weights come in, for the packaged ones.
        file: path of the weights inside that package.
        sha256: of that file; a byte that differs is refused.
        memory_gb: what it takes on the device once loaded.
        memory_source: where ``memory_gb`` comes from: ``measured``, or who states it.
        default: False for weights that a user must ask for (licence).
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
    default: bool = True
    arguments: dict[str, Any] = Field(default_factory=dict)

    def identity(self) -> ModelIdentity:
        """How a record names this model."""
        return ModelIdentity(
            id=self.id,
            revision=self.revision or (f"{self.package}=={self.version}" if self.package else None),
            sha256=self.sha256,
            licence=self.licence,
            weakness=self.weakness,
        )


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
        return Profile(name=path.stem, sha256=hashlib.sha256(text).hexdigest(), **data)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError, TypeError) as error:
        raise ConfigError(f"not a profile ({error})", fix="correct the file", where=path.name) from None

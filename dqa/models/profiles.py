"""Profiles: which model fills which channel on which kind of machine, as data (``workers/*.toml``)."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dqa.config import Settings
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
        default: False for weights that a user must ask for (licence), or choose instead of others.
        instead_of: the component whose place it can take, where the settings choose it (:func:`with_vlm`).
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
    instead_of: str | None = None
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
    def free(self) -> bool:
        """Whether it is fetched without its licence being accepted first."""
        return self.default or self.instead_of is not None

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


def chosen_profile(settings: Settings) -> Profile:
    """The profile that the settings name, with the vision-language model that they choose.

    Raises:
        ConfigError: there is no such profile, its file is malformed, or it has no such model.
    """
    return with_vlm(load_profile(settings.profile), settings.vlm_component)


def with_vlm(profile: Profile, wanted: str | None) -> Profile:
    """The profile with another of its vision-language models wherever its own would judge.

    The models change places: the chosen one comes by default, the other one if asked for. Other scores come of it, so
    that ``sha256`` is another too.

    Args:
        profile: whose.
        wanted: id of a component; None for the profile's own choice.

    Raises:
        ConfigError: it has no such model.
    """
    others = {c.id: c.instead_of for c in profile.components if c.instead_of is not None}
    if wanted is None or wanted in others.values():
        return profile
    if wanted not in others:
        known = ", ".join(dict.fromkeys([*others.values(), *others]))
        raise ConfigError(
            f"profile {profile.name} has no vision-language model {wanted!r} to choose",
            fix=f"use one of {known}" if known else "leave it out: this profile has no other than its own",
            where="DQA_VLM_COMPONENT",
        )
    own = others[wanted]
    named = {own: wanted}
    channels = {
        name: spec.model_copy(update={"components": tuple(named.get(c, c) for c in spec.components)})
        for name, spec in profile.channels.items()
    }
    places: dict[str, dict[str, Any]] = {
        **{other: {"instead_of": wanted} for other in others},
        wanted: {"default": True, "instead_of": None},
        str(own): {"default": False, "instead_of": wanted},
    }
    components = tuple(c.model_copy(update=places.get(c.id, {})) for c in profile.components)
    mark = hashlib.sha256(f"{profile.sha256}\n{wanted}".encode()).hexdigest()
    return profile.model_copy(update={"channels": channels, "components": components, "sha256": mark})


def _read(path: Path) -> Profile:
    text = path.read_bytes()
    try:
        data = tomllib.loads(text.decode("utf-8"))
        for component in data.get("components", []):
            component["profile"] = path.stem
        return Profile(name=path.stem, sha256=hashlib.sha256(text).hexdigest(), **data)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError, TypeError) as error:
        raise ConfigError(f"not a profile ({error})", fix="correct the file", where=path.name) from None

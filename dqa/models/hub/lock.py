"""``$DQA_HOME/models.lock.json``: which commit of each hub model was pulled first, and what its files were.

Trust on first use: where a profile names no commit, the branch's of the day is taken once, and from then on only that
one. Where it names one, the lock adds the hash of every file.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dqa.errors import ModelUnavailable
from dqa.models.profiles import Component, FilePin

LOCK = "models.lock.json"


class Locked(BaseModel):
    """One hub model as it was pulled.

    Attributes:
        asked: the revision that the profile names; None for the default branch.
        revision: the commit it was.
        pulled: when, ISO 8601.
        licence: the tag that the hub's model card bore; None where it had none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    hub: str
    asked: str | None
    revision: str
    pulled: str
    licence: str | None
    files: dict[str, FilePin]


class Lock(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid")

    schema_: str = Field("dqa.models/1", alias="schema")
    models: dict[str, Locked] = Field(default_factory=dict[str, Locked])


def key(component: Component) -> str:
    """Under which name a component stands: two profiles that ask for the same share one entry."""
    return f"{component.hub}@{component.revision}" if component.revision else str(component.hub)


def read(home: Path) -> Lock:
    """The lock of a state folder; an empty one where nothing was pulled yet.

    Raises:
        ModelUnavailable: the file is damaged: then nothing is known of any model.
    """
    path = home / LOCK
    try:
        return Lock.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Lock.model_validate({})
    except (OSError, ValidationError):
        raise ModelUnavailable(
            "the list of pulled models can't be read",
            fix="restore it from a copy, or move it away and run dqa models pull again",
            where=str(path),
        ) from None


def write(home: Path, component: Component, locked: Locked) -> None:
    """Puts an entry into the lock; others that pull at the same time lose nothing."""
    with _alone(home):
        lock = read(home)
        lock.models[key(component)] = locked
        path = home / LOCK
        part = path.with_suffix(".part")
        part.write_text(lock.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")
        part.replace(path)


def find(component: Component, home: Path) -> Locked | None:
    """The entry of a component; None where it was never pulled."""
    return read(home).models.get(key(component)) if component.on_hub else None


def pinned(component: Component, home: Path) -> Component:
    """The component with the commit and the files that were pulled; as it is where it was not.

    Files that the profile itself names keep the profile's hashes. What comes from no hub is looked for in
    :func:`own_place`.

    Raises:
        ModelUnavailable: the lock is damaged.
    """
    if component.origin is not None and component.hub is None:
        place = own_place(component, home)
        return component.model_copy(update={"hub": str(place)}) if place.is_dir() else component
    locked = find(component, home)
    if locked is None:
        return component
    return component.model_copy(update={"revision": locked.revision, "files": {**locked.files, **component.files}})


def own_place(component: Component, home: Path) -> Path:
    """Where a user puts the weights of a component that no hub has in safetensors."""
    return home.absolute() / "models" / component.id


@contextmanager
def _alone(home: Path) -> Generator[None]:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(home / f"{LOCK}.held", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

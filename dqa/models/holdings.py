"""What of a profile is on this machine: where each component's weights lie, and whether they are the right ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from dqa.config import Settings
from dqa.errors import DQAError, ModelUnavailable
from dqa.models.hub import lock
from dqa.models.hub.files import Tell, altered, lacking, nothing, seen
from dqa.models.profiles import Component

State = Literal["present", "partial", "absent", "elsewhere", "planned"]
"""``elsewhere``: on another machine. ``planned``: counted in the memory plan only, no weights belong to it."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One component as it stands on this machine.

    Attributes:
        component: with the commit and the files that were pulled, where it was.
        path: of its file or folder.
        sound: whether it can be used; None where that was not looked at, or there is nothing to look at.
        hashed: whether every byte was compared with a hash that was known before.
        problem: what is wrong and what to do; empty where nothing is.
    """

    component: Component
    state: State
    path: Path | None = None
    sound: bool | None = None
    hashed: bool = False
    problem: str = ""


def locate(component: Component, settings: Settings) -> Holding:
    """Where the weights lie, unread; a file that is missing or has another size is found."""
    from dqa.models.pool import ENDPOINTS

    if component.loader in ENDPOINTS:
        return Holding(component, "elsewhere")
    if component.loader is None:
        return Holding(component, "planned")
    try:
        return _packaged(component) if component.package is not None else _of_hub(component, settings)
    except ModelUnavailable as error:
        return Holding(component, "absent", None, sound=False, problem=error.public())


def inspect(component: Component, settings: Settings, tell: Tell = nothing) -> Holding:
    """Where the weights lie, and whether they are the ones that the profile or the lock names: every byte is read."""
    found = locate(component, settings)
    if found.path is None or found.state != "present":
        return found
    try:
        return _read(found, settings, tell)
    except DQAError as error:
        return replace(found, sound=False, hashed=True, problem=error.public())
    except OSError as error:
        return replace(found, sound=False, hashed=True, problem=f"can't be read ({error.strerror}).")


def answers(component: Component, settings: Settings) -> Holding:
    """Whether a model on another machine answers: its weights are not ours to check."""
    from dqa.models.pool import connect

    try:
        connect(component, settings).check()
    except DQAError as error:
        return Holding(component, "elsewhere", sound=False, problem=error.public())
    return Holding(component, "elsewhere", sound=True)


def _packaged(component: Component) -> Holding:
    from dqa.models import pool

    return Holding(component, "present", pool.weights_path(component))


def own_folder(component: Component, settings: Settings) -> Path | None:
    """The folder that the user names instead of what the profile does; None where there is none."""
    from dqa.models.pool import FOUND

    if component.loader in FOUND and component.default and settings.vlm_folder is not None:
        return settings.vlm_folder
    return Path(str(component.hub)) if component.hub and not component.on_hub else None


def _of_hub(component: Component, settings: Settings) -> Holding:
    from dqa.models.hub.client import cached
    from dqa.models.snapshot import pull_command, snapshot

    component = lock.pinned(component, settings.home)
    if component.hub is None:
        return Holding(component, "present", snapshot(component))  # it says what is missing
    if (folder := own_folder(component, settings)) is not None:
        there = folder.is_dir()
        problem = "" if there else f"the folder of {component.id} does not exist; name another."
        return Holding(component, "present" if there else "absent", folder, None if there else False, problem=problem)
    names = sorted(component.files) or ["config.json"]
    seen_here = (cached(str(component.hub), component.revision, name) for name in names) if component.revision else ()
    first = next((path for path in seen_here if path is not None), None)
    fix = f"run {pull_command(component)}."
    if first is None:
        return Holding(component, "absent", sound=False, problem=f"not on this machine; {fix}")
    wrong = lacking(first.parent, component.files)
    if wrong is not None:
        return Holding(component, "partial", first.parent, sound=False, problem=f"{wrong}; {fix}")
    return Holding(component, "present", first.parent)


def _read(found: Holding, settings: Settings, tell: Tell) -> Holding:
    from dqa.models.pool import FOUND, check_hash
    from dqa.models.snapshot import pull_command, snapshot
    from dqa.models.vlm import local_files

    component, path = found.component, found.path
    assert path is not None  # noqa: S101 - the caller looked
    if component.hub is None:
        check_hash(component, path)
        return replace(found, sound=True, hashed=True)
    if own_folder(component, settings) is not None:
        (local_files.check(path) if component.loader in FOUND else snapshot(component))
        return replace(found, sound=True, hashed=component.sha256 is not None)
    if not component.files:
        why = f"no hash is known of what is in the cache; run {pull_command(component)}, which fetches only what lacks."
        return replace(found, sound=False, problem=why)
    if (wrong := altered(path, component.files, tell)) is not None:
        return replace(found, sound=False, hashed=True, problem=f"{wrong}; run {pull_command(component)}.")
    _remember(component, path, settings.home)
    return replace(found, sound=True, hashed=True)


def _remember(component: Component, folder: Path, home: Path) -> None:
    """Notes the files' present times of change, so that loading need not read them again."""
    locked = next((each for each in lock.read(home).models.values() if _is(each, component)), None)
    if locked is not None and (files := seen(folder, locked.files)) != locked.files:
        lock.write(home, _asked(component, locked), locked.model_copy(update={"files": files}))


def _is(locked: lock.Locked, component: Component) -> bool:
    return locked.hub == component.hub and locked.revision == component.revision


def _asked(component: Component, locked: lock.Locked) -> Component:
    return component.model_copy(update={"revision": locked.asked})

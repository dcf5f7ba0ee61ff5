"""``dqa models``: which models a profile uses, under which licence, and whether their weights are intact."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home, ProfileName
from dqa.cli.output import emit, emit_json, one_line
from dqa.config import Settings
from dqa.errors import DQAError, ModelUnavailable
from dqa.models.profiles import Component, Profile, load_profile

app = typer.Typer(
    help="The models of a profile: what they are, where they lie, whether they are intact.", rich_markup_mode=None
)


@dataclass(frozen=True, slots=True)
class Weights:
    """Where a component's weights are; ``intact`` is None when they were not read."""

    component: Component
    path: Path | None
    intact: bool | None
    problem: str = ""


@app.command("list")
def list_models(profile: ProfileName = None, home: Home = None, as_json: AsJson = False) -> int:
    """List the models with licence, size, memory and place."""
    chosen = _profile(profile, home)
    found = [locate(component) for component in chosen.components]
    if as_json:
        emit_json([_as_dict(chosen, weights) for weights in found])
    else:
        _table(chosen, found)
    return 0


@app.command("verify")
def verify(profile: ProfileName = None, home: Home = None, as_json: AsJson = False) -> int:
    """Check every byte of the weights against the profile's SHA-256, and ask endpoints whether they answer.

    Exit code 4 if one is missing or altered, or does not answer.
    """
    chosen = _profile(profile, home)
    settings = runtime.settings_from(profile=profile, home=home)
    found = [
        answers(component, settings) if locate(component) == Weights(component, None, None) else inspect(component)
        for component in chosen.components
    ]
    if as_json:
        emit_json([_as_dict(chosen, weights) for weights in found])
    else:
        _table(chosen, found)
    return 0 if all(weights.intact for weights in found) else ModelUnavailable.exit_code


def locate(component: Component) -> Weights:
    """Where the weights lie, unread."""
    from dqa.models.pool import ENDPOINTS, weights_path

    if component.loader in ENDPOINTS:
        return Weights(component, None, None)
    try:
        return Weights(component, weights_path(component), None)
    except ModelUnavailable as error:
        return Weights(component, None, False, error.public())


def inspect(component: Component) -> Weights:
    """Where the weights lie, and whether they are the ones that the profile names."""
    from dqa.models.pool import check_hash

    weights = locate(component)
    if weights.path is None:
        return weights
    try:
        check_hash(component, weights.path)
    except ModelUnavailable as error:
        return Weights(component, weights.path, False, error.public())
    except OSError as error:
        return Weights(component, weights.path, False, f"can't be read ({error.strerror}).")
    return Weights(component, weights.path, True)


def answers(component: Component, settings: Settings) -> Weights:
    """Whether a model on another machine answers: its weights are not ours to check."""
    from dqa.models.pool import connect

    try:
        connect(component, settings).check()
    except DQAError as error:
        return Weights(component, None, False, error.public())
    return Weights(component, None, True)


def _profile(name: str | None, home: Path | None) -> Profile:
    return load_profile(runtime.settings_from(profile=name, home=home).profile)


def _as_dict(profile: Profile, weights: Weights) -> dict[str, Any]:
    component = weights.component
    return {
        "profile": profile.name,
        "id": component.id,
        "role": component.role,
        "channels": [name for name, spec in profile.channels.items() if component.id in spec.components],
        "licence": component.licence,
        "default": component.default,
        "size_mb": component.size_mb,
        "memory_gb": component.memory_gb,
        "memory_source": component.memory_source,
        "package": component.package,
        "version": component.version,
        "hub": component.hub,
        "revision": component.revision,
        "sha256": component.sha256,
        "weakness": component.weakness,
        "path": None if weights.path is None else str(weights.path),
        "hash_ok": weights.intact if weights.path is not None else None,
        "problem": weights.problem or None,
    }


def _table(profile: Profile, found: list[Weights]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from dqa.cli.card import to_text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("model", "role", "licence", "size", "memory", "weights"):
        table.add_column(title, justify="right" if title in ("size", "memory") else "left", overflow="fold")
    for weights in found:
        component = weights.component
        size = "-" if component.size_mb is None else f"{component.size_mb:g} MB"
        memory = f"{component.memory_gb:g} GB ({component.memory_source})"
        cells = (component.id, component.role, component.licence, size, memory, _state(weights))
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    emit(f"Profile {profile.name}: {profile.title}")
    emit(to_text(lambda console: console.print(table)))
    for weights in found:
        if weights.path is not None:
            emit(f"{weights.component.id}: {one_line(str(weights.path))}")


def _state(weights: Weights) -> str:
    if weights.problem:
        return weights.problem
    if weights.path is None:
        return "answers" if weights.intact else "on the endpoint's machine"
    return "intact" if weights.intact else "present"

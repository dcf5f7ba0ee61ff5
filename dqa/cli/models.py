"""``dqa models``: which models a profile uses, under which licence, fetching them, and whether they are intact."""

from __future__ import annotations

from typing import Any

import typer

from dqa.cli import fit_calibration, fit_checklist, pull, runtime, vbench_env
from dqa.cli.options import AsJson, Home, ProfileName, Quiet
from dqa.cli.output import emit, emit_json, one_line
from dqa.cli.progress import make_progress
from dqa.errors import ModelUnavailable
from dqa.models.holdings import Holding, answers, inspect, locate
from dqa.models.profiles import Component, Profile, chosen_profile

app = typer.Typer(
    help="The models of a profile: what they are, where they lie, fetching them, whether they are intact.",
    rich_markup_mode=None,
)
app.command("pull")(pull.command)
app.command("vbench-env")(vbench_env.command)
app.command("fit-calibration")(fit_calibration.command)
app.command("fit-checklist")(fit_checklist.command)


@app.command("list")
def list_models(profile: ProfileName = None, home: Home = None, as_json: AsJson = False) -> int:
    """List the models with revision, licence, size, memory and place, and whether they are there."""
    settings = runtime.settings_from(profile=profile, home=home)
    chosen = chosen_profile(settings)
    _show(chosen, [locate(component, settings) for component in chosen.components], as_json=as_json)
    return 0


@app.command("verify")
def verify(profile: ProfileName = None, home: Home = None, as_json: AsJson = False, quiet: Quiet = False) -> int:
    """Check every byte of the weights against the SHA-256 that the profile or the first pull names.

    Endpoints are asked whether they answer. Exit code 4 if one is missing or altered, or does not answer.
    """
    settings = runtime.settings_from(profile=profile, home=home)
    chosen = chosen_profile(settings)
    found: list[Holding] = []
    hubs = any(component.hub for component in chosen.components)
    with make_progress(len(chosen.components), quiet=quiet or not hubs) as progress:
        for component in chosen.components:
            progress.item(component.id)
            held = inspect(component, settings, progress.stage)
            found.append(answers(component, settings) if held.state == "elsewhere" else held)
            progress.done(_state(found[-1]))
    _show(chosen, found, as_json=as_json)
    wrong = [held for held in found if held.component.default or held.state not in ("absent", "planned")]
    return ModelUnavailable.exit_code if any(not _fine(held) for held in wrong) else 0


def _fine(held: Holding) -> bool:
    return held.sound is True or held.state == "planned"


def _show(profile: Profile, found: list[Holding], *, as_json: bool) -> None:
    if as_json:
        emit_json([_as_dict(profile, held) for held in found])
    else:
        _table(profile, found)


def _as_dict(profile: Profile, held: Holding) -> dict[str, Any]:
    component = held.component
    return {
        "profile": profile.name,
        "id": component.id,
        "role": component.role,
        "channels": [name for name, spec in profile.channels.items() if component.id in spec.components],
        "licence": component.licence,
        "default": component.default,
        "instead_of": component.instead_of,
        "size_mb": component.size_mb,
        "memory_gb": component.memory_gb,
        "memory_source": component.memory_source,
        "package": component.package,
        "version": component.version,
        "hub": component.hub,
        "revision": component.revision,
        "sha256": component.identity().sha256,
        "files": {name: {"sha256": pin.sha256, "size": pin.size} for name, pin in sorted(component.files.items())},
        "weakness": component.weakness,
        "state": held.state,
        "path": None if held.path is None else str(held.path),
        "hash_ok": held.sound if held.hashed else None,
        "problem": held.problem or None,
    }


def _table(profile: Profile, found: list[Holding]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from dqa.cli.card import to_text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("model", "role", "licence", "size", "memory", "weights"):
        table.add_column(title, justify="right" if title in ("size", "memory") else "left", overflow="fold")
    for held in found:
        component = held.component
        size = "-" if component.size_mb is None else f"{component.size_mb:g} MB"
        memory = f"{component.memory_gb:g} GB ({component.memory_source})"
        licence = f"{component.licence}{_terms(component)}"
        cells = (component.id, component.role, licence, size, memory, _state(held))
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    emit(f"Profile {profile.name}: {profile.title}")
    emit(to_text(lambda console: console.print(table)))
    for held in found:
        if named := _named(held):
            emit(f"{held.component.id}: {named}")


def _terms(component: Component) -> str:
    if component.instead_of is not None:
        return f"; instead of {component.instead_of}, by DQA_VLM_COMPONENT"
    return "" if component.default else "; only if asked for"


def _named(held: Holding) -> str:
    """What it is and where: hub id, revision, path; of those there are."""
    component = held.component
    revision = component.revision or ("the revision that is pulled first" if component.on_hub else None)
    parts = (component.hub if component.on_hub else None, revision, str(held.path) if held.path else None)
    return one_line(", ".join(part for part in parts if part))


def _state(held: Holding) -> str:
    if held.problem:
        return held.problem if held.state != "partial" else f"partial: {held.problem}"
    if held.state == "elsewhere":
        return "answers" if held.sound else "on the endpoint's machine"
    if held.state == "planned":
        return "planned for only"
    if held.sound:
        return "intact" if held.hashed else "usable (a folder of your own: no hash is known)"
    return "present"

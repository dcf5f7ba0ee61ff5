"""``dqa plan``: which models are on the device when, what they take, under which licence, and whether that fits."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, cast, get_args

import typer

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home, ProfileName
from dqa.cli.output import emit, emit_json, one_line, say
from dqa.errors import InsufficientMemory, UsageError
from dqa.models.hub.lock import pinned
from dqa.models.plan import Mode, PhasePlan, Plan, plan_profile, shortage
from dqa.models.profiles import Profile, chosen_profile
from dqa.models.residency import card
from dqa.models.residency.figures import MemoryBook


def command(
    budget_gb: Annotated[
        float | None, typer.Option("--budget-gb", metavar="N", help="Memory there is. [DQA_BUDGET_GB; the profile's]")
    ] = None,
    mode: Annotated[
        str, typer.Option("--mode", metavar="auto|resident|sequential", help="Keep all loaded, or a phase at a time.")
    ] = "auto",
    profile: ProfileName = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Show what is on the device when, before anything runs. Exit code 4 if it does not fit the budget.

    resident keeps all models of an evaluation loaded; sequential unloads each phase before the next; auto is resident
    where that fits, else it groups the channels so that as little as possible is loaded again. Training always has the
    device alone; it is reckoned with where DQA_TASTE_MODEL names a model. What was measured on this machine counts
    instead of what the profile declares, and a GPU's own memory, less what CUDA takes, where the profile's budget is
    more.
    """
    if mode not in get_args(Mode):
        raise UsageError(f"{mode!r} is not a mode", fix=f"use {', '.join(get_args(Mode))}", where="--mode")
    settings = runtime.settings_from(profile=profile, home=home, budget_gb=budget_gb)
    from dqa.evaluation.residence import as_asked

    chosen = as_asked(chosen_profile(settings), settings)
    known = [pinned(component, settings.home) for component in chosen.components]
    device = "cuda" if chosen.device == "cuda" else "cpu"
    measured = MemoryBook(settings.home).needs(known, device, settings)
    result = plan_profile(chosen, cast("Mode", mode), card.budget_gb(chosen, settings), measured)
    if as_json:
        emit_json(_as_json(chosen, result))
    else:
        _show(chosen, result)
    if (more := card.overdrawn(chosen, settings)) is not None:
        say(f"Warning: {more}.")
    lacking = shortage(result, result.phases, whose=f"profile {chosen.name}")
    if lacking is None:
        return 0
    say(lacking.sentence())
    return InsufficientMemory.exit_code


def _as_json(profile: Profile, result: Plan) -> dict[str, Any]:
    told = asdict(result)
    del told["needs"]
    components = [
        {
            "id": component.id,
            "gb": result.needs[component.id].gb,
            "work_gb": result.needs[component.id].work_gb,
            "source": result.needs[component.id].source,
            "declared_gb": component.memory_gb,
            "declared_by": component.memory_source,
            "licence": component.licence,
            "default": component.default,
        }
        for component in profile.components
    ]
    head = {"profile": profile.name, "device": profile.device, "ready": profile.ready}
    return {**head, **told, "loads_each_round": result.loads, "components": components}


def _show(profile: Profile, result: Plan) -> None:
    from dqa.cli.card import to_text

    emit(f"Profile {profile.name}: {profile.title} ({profile.device})")
    table = _table(profile, result)
    emit(to_text(lambda console: console.print(table)))
    for phase in result.evaluation:
        for line in _changes(phase, result):
            emit(line)
    evaluates = all(phase.gb <= result.budget_gb for phase in result.evaluation)
    verdict = "fits" if result.fits else "does not fit: only evaluating does" if evaluates else "does not fit"
    emit(f"{result.mode}: peak {result.peak_gb:.2f} GB of {result.budget_gb:g} GB, so it {verdict}.")
    emit(f"Everything at once would take {result.total_gb:.2f} GB.")
    if not profile.ready:
        emit("This profile can be planned for, but not evaluated with in this version.")


def _table(profile: Profile, result: Plan) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("phase", "loaded", "memory", "of the budget", "licence"):
        table.add_column(title, justify="right" if title in ("memory", "of the budget") else "left")
    for phase in result.phases:
        table.add_row(Text(one_line(phase.name)), "", f"{phase.gb:.2f} GB", f"{phase.gb / result.budget_gb:.0%}", "")
        for name in (*phase.components, *phase.kept):
            need = result.needs[name]
            licence = one_line(profile.component(name).licence)
            table.add_row("", Text(one_line(name)), f"{need.gb:.2f} GB {need.source}", "", Text(licence))
    return table


def _changes(phase: PhasePlan, result: Plan) -> list[str]:
    """What comes and goes when a phase begins, once evaluations follow each other."""
    if result.mode == "resident":
        return []
    told: list[str] = []
    for names, what in ((phase.evict, "unloaded"), (phase.load, "loaded"), (phase.kept, "kept for later")):
        if names:
            told.append(f"{what}: {', '.join(names)}")
    return [one_line(f"{phase.name}: {'; '.join(told) or 'nothing comes or goes'}.")]

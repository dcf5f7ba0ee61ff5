"""``dqa plan``: what a profile's models take, phase by phase, and whether that fits."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, cast, get_args

import typer

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home, ProfileName
from dqa.cli.output import emit, emit_json, one_line, say
from dqa.errors import InsufficientMemory, UsageError
from dqa.models.plan import Mode, Plan, plan
from dqa.models.profiles import Profile, load_profile


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
    where that fits, else sequential. Training always has the device alone.
    """
    if mode not in get_args(Mode):
        raise UsageError(f"{mode!r} is not a mode", fix=f"use {', '.join(get_args(Mode))}", where="--mode")
    settings = runtime.settings_from(profile=profile, home=home, budget_gb=budget_gb)
    chosen = load_profile(settings.profile)
    result = plan(chosen.components, cast("Mode", mode), settings.budget_gb or chosen.budget_gb)
    if as_json:
        emit_json({"profile": chosen.name, "device": chosen.device, "ready": chosen.ready, **asdict(result)})
    else:
        _show(chosen, result)
    if result.fits:
        return 0
    say(_too_large(chosen, result).sentence())
    return InsufficientMemory.exit_code


def _too_large(profile: Profile, result: Plan) -> InsufficientMemory:
    need, budget = f"{result.peak_gb:.2f} GB ({result.mode})", f"{result.budget_gb:g} GB"
    what = f"profile {profile.name} needs {need}, and the budget is {budget}"
    fix = "try --mode sequential" if result.mode == "resident" else "take a smaller profile or a larger device"
    return InsufficientMemory(what, fix=fix)


def _show(profile: Profile, result: Plan) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from dqa.cli.card import to_text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("phase", "loaded", "memory", "of the budget"):
        table.add_column(title, justify="right" if title in ("memory", "of the budget") else "left")
    for phase in result.phases:
        share = f"{phase.gb / result.budget_gb:.0%}"
        table.add_row(phase.name, Text(one_line(", ".join(phase.components))), f"{phase.gb:.2f} GB", share)
    emit(f"Profile {profile.name}: {profile.title} ({profile.device})")
    emit(to_text(lambda console: console.print(table)))
    verdict = "fits" if result.fits else "does not fit"
    emit(f"{result.mode}: peak {result.peak_gb:.2f} GB of {result.budget_gb:g} GB, so it {verdict}.")
    emit(f"Everything at once would take {result.total_gb:.2f} GB.")
    if not profile.ready:
        emit("This profile can be planned for, but not evaluated with in this version.")

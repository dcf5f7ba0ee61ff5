"""``dqa doctor``: looks at everything an evaluation needs, and says what to do about each finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from dqa.cli import runtime
from dqa.cli.checks.deployment import deployment
from dqa.cli.checks.finding import Finding
from dqa.cli.checks.machine import gpu, machine
from dqa.cli.checks.software import models, software
from dqa.cli.options import AsJson, Home, ProfileName
from dqa.cli.output import emit, emit_json, one_line
from dqa.config import Settings
from dqa.errors import UnavailableError
from dqa.models.profiles import Profile, chosen_profile

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def command(profile: ProfileName = None, home: Home = None, as_json: AsJson = False) -> int:
    """Check machine, packages, models, store and service. Exit code 4 if something the profile needs is not right."""
    settings = runtime.settings_from(profile=profile, home=home)
    chosen = chosen_profile(settings)
    findings = list(examine(settings, chosen))
    if as_json:
        emit_json([asdict(finding) for finding in findings])
    else:
        _show(chosen, findings)
    return UnavailableError.exit_code if any(f.level == "fail" for f in findings) else 0


def examine(settings: Settings, profile: Profile) -> Iterator[Finding]:
    """Every finding, in the order a person would look."""
    yield gpu(profile, settings)
    yield from machine(settings, profile)
    yield from software(profile)
    yield from models(profile, settings)
    yield from deployment(settings)


def _show(profile: Profile, findings: Sequence[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    from dqa.cli.card import to_text

    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        found = Text(one_line(finding.found))
        if finding.fix:
            found.append(f"\n-> {one_line(finding.fix)}", style="dim")
        table.add_row(Text(finding.level, style=_COLOURS[finding.level]), Text(finding.check, style="bold"), found)
    emit(f"Profile {profile.name}: {profile.title}")
    emit(to_text(lambda console: console.print(table)))
    failing = sum(finding.level == "fail" for finding in findings)
    emit(f"{failing} of {len(findings)} checks fail." if failing else "Everything this profile needs is in place.")

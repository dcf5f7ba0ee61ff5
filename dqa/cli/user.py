"""``dqa user``: everything kept of one user, given out or deleted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home
from dqa.cli.output import emit, emit_json, one_line, say
from dqa.errors import UsageError

if TYPE_CHECKING:
    from dqa.store import Store
    from dqa.store.users import Removed

app = typer.Typer(help="What is kept of a user.", rich_markup_mode=None)

_Name = Annotated[str, typer.Argument(metavar="USER", help="Whose data.")]


@app.command("export")
def export(
    user: _Name,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default stdout.", show_default=False)
    ] = None,
    home: Home = None,
) -> int:
    """Write everything kept of a user as one JSON document.

    Evaluations, choices, tuner steps with their tastes, what the user says to like, trainings, and the adapters and
    uploads by name and SHA-256.
    """
    from dqa.cli.files import write_all

    write_all(output, _store(home).users.export_json(user))
    return 0


@app.command("delete")
def delete(
    user: _Name,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Delete everything kept of a user: rows, tastes, adapters, and uploads that nobody else needs.

    It can't be undone; dqa user export first keeps a copy. Asks before, unless --yes is given. While an evaluation
    or training of the user is under way, it is refused.
    """
    from dqa.service.lineage import is_gone

    if not yes:
        _ask(user)
    removed = _store(home).users.delete(user, is_gone)
    if as_json:
        told = {"user": user, "removed": removed.counts, "files": list(removed.files), "scrubbed": removed.scrubbed}
        emit_json(told)
    else:
        _show(removed)
    if not removed.scrubbed:
        say("the database is in use, so deleted text may still stand in its file; run the command again later.")
    return 0


def _ask(user: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("deleting a user needs a yes", fix="give --yes, or run it on a terminal")
    typer.confirm(f"Delete everything kept of {one_line(user)}? It can't be undone.", abort=True, err=True)


def _show(removed: Removed) -> None:
    found = {name: count for name, count in removed.counts.items() if count}
    if not found and not removed.files:
        emit(f"{one_line(removed.user)}: nothing is kept")
        return
    emit(f"{one_line(removed.user)}: deleted")
    for name, count in found.items():
        emit(f"  {count} {name.replace('_', ' ')}")
    for file in removed.files:
        emit(f"  {one_line(file)}")


def _store(home: Path | None) -> Store:
    from dqa.store import Store

    return Store.open(runtime.settings_from(home=home))

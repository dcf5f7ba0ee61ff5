"""``dqa user``: what a user likes; everything kept of one, given out or deleted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home, User
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
    as_json: AsJson = False,
) -> int:
    """Write everything kept of a user as one JSON document, with or without --json.

    Evaluations, choices, tuner steps with their tastes, what the user says to like, trainings, and the adapters and
    uploads by name and SHA-256.
    """
    from dqa.cli.files import write_all

    write_all(output, _store(home).users.export_json(user))
    return 0


@app.command("style")
def style(
    likes: Annotated[
        list[str] | None,
        typer.Option("--likes", metavar="TEXT", help="What the user likes, such as 'warm tones, slow pans, no neon'."),
    ] = None,
    dislikes: Annotated[
        list[str] | None, typer.Option("--dislikes", metavar="TEXT", help="What the user dislikes.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Forget what was said here before.")] = False,
    user: User = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Say what a user likes and dislikes, or show it.

    What is said replaces what was said here before; what the agents' user_style block says counts beside it, and this
    wins where they differ. Words are looked for in prompts, and words such as warm, dark, vivid or slow in how a clip
    looks. The next dqa tuner step learns with it.
    """
    from dqa.taste.style import Style

    settings = runtime.settings_from(home=home, user=user)
    styles = runtime.open_store(settings).styles
    if likes or dislikes or clear:
        said, _ = styles.put(settings.user, own=Style.of(likes or [], dislikes or []))
    else:
        said = styles.get(settings.user)
    both = said.style
    if as_json:
        emit_json({"user": settings.user, **both.model_dump(mode="json"), **said.model_dump(mode="json")})
        return 0
    emit(f"{one_line(settings.user)} likes {_listed(both.likes)}")
    emit(f"{one_line(settings.user)} dislikes {_listed(both.dislikes)}")
    return 0


def _listed(phrases: tuple[str, ...]) -> str:
    return one_line(", ".join(phrases)) or "nothing in particular"


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
    return runtime.open_store(runtime.settings_from(home=home))

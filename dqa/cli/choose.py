"""``dqa choose``: records which of two evaluated clips a user prefers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home, User
from dqa.cli.output import emit, emit_json, one_line, say
from dqa.config import Settings
from dqa.errors import DQAError, InputError, UsageError
from dqa.ids import new_id

if TYPE_CHECKING:
    from dqa.store import Store
    from dqa.store.selections import Selection


def command(
    a: Annotated[str | None, typer.Option("--a", metavar="ID", help="An evaluation's id.", show_default=False)] = None,
    b: Annotated[str | None, typer.Option("--b", metavar="ID", help="Another one's id.", show_default=False)] = None,
    chosen: Annotated[
        str | None, typer.Option("--chosen", metavar="a|b|tie", help="Which one is better.", show_default=False)
    ] = None,
    test_id: Annotated[
        str | None,
        typer.Option("--test-id", metavar="T", help="The choice's own name; counts once.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--import", metavar="FILE.jsonl", help="Choices, one JSON a line.", show_default=False),
    ] = None,
    user: User = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Record a choice between two evaluated clips, or import a file of them.

    A line of the file is {"test_id", "a", "b", "chosen", "user"?, "timestamp"?}. A test_id counts once per user: the
    same choice again changes nothing, another one under the same name is an error. Lines that can't be used are named
    on stderr, the others are kept, and the exit code is then 3.
    """
    settings = runtime.settings_from(home=home, user=user)
    store = _store(settings)
    if file is not None:
        if a or b or chosen:
            raise UsageError("--import brings its own choices", fix="leave out --a, --b and --chosen")
        return _import(store, settings, file, as_json=as_json)
    if not (a and b and chosen):
        raise UsageError("a choice needs --a, --b and --chosen", fix="give all three, or --import FILE.jsonl")
    kept, new = _keep(
        store, {"test_id": test_id or new_id("test"), "a": a, "b": b, "chosen": chosen}, settings.user, "cli"
    )
    _tell(kept, new, as_json=as_json)
    return 0


def _import(store: Store, settings: Settings, file: Path, *, as_json: bool) -> int:
    failed = 0
    for number, line in _lines(file):
        try:
            _tell(*_keep(store, _parse(line), settings.user, "file"), as_json=as_json)
        except DQAError as error:
            failed += 1
            say(f"{file} line {number}: {error.sentence()}")
    return InputError.exit_code if failed else 0


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("the file can't be read as text", fix="give a JSONL file", where=str(file)) from error
    return ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def _parse(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise InputError("not a JSON object", fix="see dqa choose --help")
    for name in ("test_id", "a", "b", "chosen"):
        if not isinstance(row.get(name), str) or not row[name]:
            raise InputError(f'"{name}" is missing or not text', fix="see dqa choose --help")
    return row


def _keep(store: Store, row: dict[str, Any], user: str, source: Any) -> tuple[Selection, bool]:
    """Keeps one choice between evaluations that exist; raises ``RecordNotFound`` for one that does not."""
    from dqa.store.selections import Selection

    for side in ("a", "b"):
        store.get_record(row[side])
    whose, when = row.get("user") or user, row.get("timestamp") or ""
    if not isinstance(whose, str) or not isinstance(when, str):
        raise InputError('"user" and "timestamp" are text', fix="see dqa choose --help")
    return store.selections.add(Selection(whose, row["test_id"], row["a"], row["b"], row["chosen"], source, when))


def _tell(kept: Selection, new: bool, *, as_json: bool) -> None:
    if as_json:
        names = ("test_id", "user", "a", "b", "chosen", "created")
        emit_json({**{name: getattr(kept, name) for name in names}, "new": new})
        return
    what = (
        "tie"
        if kept.chosen == "tie"
        else f"{getattr(kept, kept.chosen)} over {kept.b if kept.chosen == 'a' else kept.a}"
    )
    emit(one_line(f"{kept.user}: {what} ({kept.test_id}{'' if new else ', known before'})"))


def _store(settings: Settings) -> Store:
    from dqa.store import Store

    return Store.open(settings)

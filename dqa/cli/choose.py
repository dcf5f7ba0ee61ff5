"""``dqa choose``: which of two evaluated clips a user prefers; choices from files, and into files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home, User
from dqa.cli.output import emit, emit_json, one_line, say
from dqa.config import Settings
from dqa.errors import InputError, UsageError
from dqa.ids import new_id

if TYPE_CHECKING:
    from dqa.exchange.exporting import Format
    from dqa.store import Store
    from dqa.store.selections import Chosen, Selection

_Text = str | None


def command(  # noqa: PLR0913, PLR0917 - a parameter an option
    a: Annotated[_Text, typer.Option("--a", metavar="ID", help="An evaluation's id.", show_default=False)] = None,
    b: Annotated[_Text, typer.Option("--b", metavar="ID", help="Another one's id.", show_default=False)] = None,
    chosen: Annotated[
        _Text, typer.Option("--chosen", metavar="a|b|tie", help="Which one is better.", show_default=False)
    ] = None,
    test_id: Annotated[
        _Text, typer.Option("--test-id", metavar="T", help="The choice's own name; counts once.", show_default=False)
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--import", metavar="FILE", help="Take choices from a file.", show_default=False, readable=False),
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Write the user's choices; - is stdout.", show_default=False),
    ] = None,
    kind: Annotated[str, typer.Option("--format", metavar="jsonl|trl|label-studio", help="Of the export.")] = "jsonl",
    records: Annotated[bool, typer.Option("--records", help="Export the evaluations' records with jsonl.")] = False,
    user: User = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Record a choice between two evaluated clips, or import or export a file of them.

    --import takes JSON lines or a JSON list: {"test_id", "a", "b", "chosen", "user"?, "timestamp"?}, where a and b are
    evaluation ids, names of evaluated clips or whole records; the two shapes of memory blocks; pairwise tasks
    exported from Label Studio; and TRL's {"prompt", "chosen", "rejected"}. A test_id counts once per user: the same
    choice again changes nothing, another one under the same name is an error. Entries that can't be used are named
    on stderr, the others are kept, and the exit code is then 3.
    """
    settings = runtime.settings_from(home=home, user=user)
    _one_of_three((a, b, chosen, test_id), source, target)
    if source is not None:
        return _import(settings, source, as_json=as_json)
    if target is not None:
        return _export(settings, target, kind, records=records)
    if not (a and b and chosen):
        raise UsageError("a choice needs --a, --b and --chosen", fix="give all three, or --import FILE")
    _tell(*_keep(settings, test_id or new_id("test"), (a, b), chosen), as_json=as_json)
    return 0


def _one_of_three(choice: tuple[_Text, ...], source: Path | None, target: Path | None) -> None:
    if source is not None and target is not None:
        raise UsageError("--import and --export are two commands", fix="give one of them")
    if any(choice) and (source is not None or target is not None):
        what = "--import brings its own choices" if source is not None else "--export writes the choices there are"
        raise UsageError(what, fix="leave out --a, --b, --chosen and --test-id")


def _keep(settings: Settings, test_id: str, sides: tuple[str, str], chosen: str) -> tuple[Selection, bool]:
    """Keeps one choice between evaluations that exist; raises ``RecordNotFound`` for one that does not."""
    from dqa.store.selections import Selection

    store = _store(settings)
    for side in sides:
        store.get_record(side)
    return store.selections.add(Selection(settings.user, test_id, *sides, cast("Chosen", chosen), "cli"))


def _import(settings: Settings, file: Path, *, as_json: bool) -> int:
    from dqa.exchange.importing import Kept, import_choices

    refused = 0
    for done in import_choices(_store(settings), file, settings.user):
        if isinstance(done, Kept):
            _tell(done.selection, done.new, as_json=as_json)
        else:
            refused += 1
            say(f"{file} {done.place}: {done.error.sentence()}")
    return InputError.exit_code if refused else 0


def _export(settings: Settings, file: Path, kind: str, *, records: bool) -> int:
    from dqa.cli.files import write_all
    from dqa.exchange.exporting import Export, Format

    if kind not in get_args(Format):
        raise UsageError(f"{kind!r} is not a format", fix=f"use one of {', '.join(get_args(Format))}")
    if records and kind != "jsonl":
        raise UsageError("--records goes with --format jsonl", fix="leave it out")
    store = _store(settings)
    export = Export(store, settings.user, store.styles.get(settings.user).style)
    write_all(file, export.pieces(cast("Format", kind), records=records))
    for reason, count in export.left_out.items():
        say(f"{count} left out ({reason}): {kind} can't hold them.")
    return 0


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
    return runtime.open_store(settings)

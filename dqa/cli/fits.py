"""What the commands that fit something share: the list of versions, going back to one, and to none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from dqa.acceptance.shelf import Content, Shelf
from dqa.cli.output import emit, emit_json, one_line
from dqa.errors import DQAError, UsageError

Listed = Annotated[bool, typer.Option("--list", help="List the versions there are.")]
Rollback = Annotated[
    int | None,
    typer.Option("--rollback", metavar="N", min=1, help="Put version N in force again.", show_default=False),
]
Reset = Annotated[bool, typer.Option("--reset", help="Put none in force: scores are the channels' own again.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Fit and show, but keep nothing.")]


def only_one(*asked: bool) -> None:
    """Refuses two of --list, --rollback, --reset and a fit at once."""
    if sum(asked) > 1:
        raise UsageError("--list, --rollback and --reset are commands of their own", fix="give one of them")


def upkeep(
    shelf: Shelf[Content], told: Callable[[Content], str], *, rollback: int | None, reset: bool, as_json: bool
) -> int:
    """Goes back or to none if asked to, then lists the versions."""
    if rollback is not None or reset:
        shelf.put_in_force(rollback or 0)
    serving, problem = _serving(shelf)
    rows = [_row(shelf, number, serving, told) for number in shelf.numbers()]
    if as_json:
        emit_json({"profile": shelf.profile, "in_force": serving, "problem": problem or None, "versions": rows})
        return 0
    for row in rows:
        mark = "* " if row["in_force"] else "  "
        emit(one_line(f"{mark}{row['version']}: {row['told'] or row['problem']}"))
    emit(one_line(problem or _state(shelf, serving)))
    return 0


def _serving(shelf: Shelf[Any]) -> tuple[int | None, str]:
    try:
        return shelf.number_in_force() or None, ""
    except DQAError as error:
        return None, error.public()


def _row(shelf: Shelf[Content], number: int, serving: int | None, told: Callable[[Content], str]) -> dict[str, Any]:
    row: dict[str, Any] = {"version": number, "in_force": number == serving, "told": None, "problem": None}
    try:
        kept = shelf.get(number)
    except DQAError as error:
        return row | {"problem": error.public()}
    return row | {"told": told(kept.content), "sha256": kept.sha256, "created": kept.content.created}


def _state(shelf: Shelf[Any], serving: int | None) -> str:
    where = f"profile {shelf.profile}"
    if serving is None:
        return f"No {shelf.kind} is in force for {where}."
    return f"Version {serving} of the {shelf.kind} is in force for {where}."

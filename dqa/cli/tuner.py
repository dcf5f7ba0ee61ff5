"""``dqa tuner``: learn from the choices, see what was learned, go back, predict a choice."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dqa.cli import runtime, training, tuner_words
from dqa.cli.options import AsJson, Home, User
from dqa.cli.output import emit, emit_json, one_line, say
from dqa.config import Settings
from dqa.errors import Cancelled, InputError, UsageError
from dqa.record import EvaluationRecord

if TYPE_CHECKING:
    from dqa.store import Store

ForProfile = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="NAME", help="Of which profile; default the one learned last.", show_default=False
    ),
]

app = typer.Typer(help="What a user prefers: learn it, see it, predict it.", rich_markup_mode=None)


@app.command("step")
def step(user: User = None, home: Home = None, as_json: AsJson = False) -> int:
    """Learn from the choices that no step has seen yet."""
    settings, store = _open(user, home)
    output = store.tuner.step(settings.user)
    if as_json:
        emit_json(output)
    else:
        _lines(tuner_words.step(output))
    return 0


@app.command("status")
def status(user: User = None, profile: ForProfile = None, home: Home = None, as_json: AsJson = False) -> int:
    """Show the serving taste: how well it predicts, what is liked and disliked, whether sides bias the choices."""
    settings, store = _open(user, home)
    state = store.tuner.state(settings.user, profile)
    if as_json:
        emit_json(tuner_words.as_data(state))
    else:
        _lines(tuner_words.status(state))
    return 0


@app.command("history")
def history(user: User = None, profile: ForProfile = None, home: Home = None, as_json: AsJson = False) -> int:
    """List the versions, newest first: which one serves, which were rejected and why, which can be gone back to."""
    settings, store = _open(user, home)
    for output in store.tuner.history(settings.user, profile=profile):
        if as_json:
            emit_json(output)
        else:
            _lines([tuner_words.history_line(output)])
    return 0


@app.command("rollback")
def rollback(
    to: Annotated[
        int | None, typer.Option("--to", metavar="N", min=1, help="Which version is to serve.", show_default=False)
    ] = None,
    user: User = None,
    profile: ForProfile = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Let an earlier version serve: the one before the serving one, or the one that --to names.

    The choices made after it are set aside, so that the next step does not learn them back; nothing is deleted, and
    going to a later version brings its choices back. After a reset the newest version serves again.
    """
    settings, store = _open(user, home)
    store.tuner.rollback(settings.user, to, profile)
    return _tell_state(store, settings.user, profile, as_json=as_json)


@app.command("reset")
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    user: User = None,
    profile: ForProfile = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Begin anew: no taste serves, and every choice so far is set aside. dqa tuner rollback undoes it."""
    settings, store = _open(user, home)
    if not yes:
        _confirm(settings.user)
    store.tuner.reset(settings.user, profile)
    return _tell_state(store, settings.user, profile, as_json=as_json)


app.command("train")(training.train)


@app.command("predict")
def predict(
    a: Annotated[str, typer.Argument(metavar="A", help="An evaluation's id, or a record's JSON file.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    user: User = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Predict which of two evaluated clips the user would choose.

    "p_a" is the chance of A, "interval" its 90 % interval; with "abstained" the choices so far say too little about
    such a pair, and the chance is mostly the prior's. Both must be of one profile, whose taste is asked.
    """
    settings, store = _open(user, home)
    prediction = store.asking.predict(settings.user, _record(store, a), _record(store, b))
    if as_json:
        emit_json(prediction.model_dump(mode="json"))
        return 0
    low, high = prediction.interval
    unsure = tuner_words.unsure(prediction)
    emit(f"A is chosen with a chance of {prediction.p_a:.0%}, 90 % interval {low:.0%} to {high:.0%}{unsure}")
    for reason in prediction.because:
        emit(f"  {one_line(reason)}")
    return 0


def _open(user: str | None, home: Path | None) -> tuple[Settings, Store]:
    settings = runtime.settings_from(home=home, user=user)
    return settings, runtime.open_store(settings)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for any file may still be taken for an id, and not be found
        return False


def _record(store: Store, name: str) -> EvaluationRecord:
    path = Path(name)
    if not _is_file(path):
        return store.get_record(name)
    try:
        return EvaluationRecord.from_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            "not an evaluation record", fix="give an id, or a file of dqa evaluate --json", where=name
        ) from error


def _lines(lines: Iterable[str]) -> None:
    for line in lines:
        emit(one_line(line) if not line.startswith(" ") else f"  {one_line(line)}")


def _tell_state(store: Store, user: str, profile: str | None, *, as_json: bool) -> int:
    state = store.tuner.state(user, profile)
    if as_json:
        emit_json(tuner_words.as_data(state))
    else:
        _lines([tuner_words.serves(state)])
    return 0


def _confirm(user: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"this sets all choices of {user} aside", fix="say --yes if that is meant")
    say(f"Set all choices of {user} aside and let no taste serve? dqa tuner rollback undoes it. [y/N]")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Cancelled("nothing was changed", fix="say y, or --yes")

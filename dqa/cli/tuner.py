"""``dqa tuner``: learn from the choices, see what was learned, predict a choice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home, User
from dqa.cli.output import emit, emit_json, one_line
from dqa.config import Settings
from dqa.errors import InputError
from dqa.record import EvaluationRecord

if TYPE_CHECKING:
    from dqa.store import Store
    from dqa.store.tuner import Output

app = typer.Typer(help="What a user prefers: learn it, see it, predict it.", rich_markup_mode=None)


@app.command("step")
def step(user: User = None, home: Home = None, as_json: AsJson = False) -> int:
    """Learn from the choices that no step has seen yet."""
    settings, store = _open(user, home)
    output = store.tuner.step(settings.user)
    if as_json:
        emit_json(output)
    else:
        _show(output)
    return 0


@app.command("status")
def status(user: User = None, home: Home = None, as_json: AsJson = False) -> int:
    """Show the serving taste: its version, how much it has seen and how sure it is."""
    settings, store = _open(user, home)
    taste = store.tuner.current(settings.user)
    kept = {"version", "choices", "loss", "confidence", "patterns"}
    if as_json:
        emit_json(
            {"user": settings.user, **(taste.model_dump(mode="json", include=kept) if taste else {"version": None})}
        )
    elif taste is None:
        emit(
            f"{one_line(settings.user)}: nothing learned yet; choose between clips with dqa choose, then dqa tuner step"
        )
    else:
        _show(store.tuner.history(settings.user, 1)[0])
    return 0


@app.command("history")
def history(user: User = None, home: Home = None, as_json: AsJson = False) -> int:
    """List the training steps, newest first."""
    settings, store = _open(user, home)
    for output in store.tuner.history(settings.user):
        if as_json:
            emit_json(output)
        else:
            _show(output)
    return 0


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
    such a pair, and the chance is mostly the prior's.
    """
    from dqa.taste.features import Judged
    from dqa.taste.predict import predict as predict_choice

    settings, store = _open(user, home)
    prediction = predict_choice(
        store.tuner.current(settings.user), Judged.of(_record(store, a)), Judged.of(_record(store, b))
    )
    if as_json:
        emit_json(prediction.model_dump(mode="json"))
        return 0
    low, high = prediction.interval
    unsure = " (learning: mostly the prior)" if prediction.abstained else ""
    emit(f"A is chosen with a chance of {prediction.p_a:.0%}, 90 % interval {low:.0%} to {high:.0%}{unsure}")
    for reason in prediction.because:
        emit(f"  {one_line(reason)}")
    return 0


def _open(user: str | None, home: Path | None) -> tuple[Settings, Store]:
    from dqa.store import Store

    settings = runtime.settings_from(home=home, user=user)
    return settings, Store.open(settings)


def _record(store: Store, name: str) -> EvaluationRecord:
    path = Path(name)
    if not path.is_file():
        return store.get_record(name)
    try:
        return EvaluationRecord.from_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            "not an evaluation record", fix="give an id, or a file of dqa evaluate --json", where=name
        ) from error


def _show(output: Output) -> None:
    loss: Any = output["loss"]
    confidence: Any = output["model_confidence"]
    told = "no loss yet" if loss is None else f"loss {loss:.3f}"
    emit(f"step {output['training_step']}: {told}, confidence {confidence:.2f}, {output['choices_seen']} choices")
    patterns: Any = output["patterns"]
    for pattern in patterns:
        emit(f"  {one_line(str(pattern))}")

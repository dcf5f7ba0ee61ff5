"""``dqa tuner train``: train the language-model tier now, look at its training, or cancel it."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home, User
from dqa.cli.output import emit, emit_json, one_line, say
from dqa.config import Settings
from dqa.errors import Cancelled, UnavailableError

if TYPE_CHECKING:
    from dqa.store import Store
    from dqa.store.trainings import Training
    from dqa.taste.heavy.config import Progress
    from dqa.training.trainer import Trainer

_LOOK_S = 1.0


def train(
    user: User = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="For which profile's scores.", show_default=False)
    ] = None,
    home: Home = None,
    show: Annotated[bool, typer.Option("--status", help="Only tell how the last training stands.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel the training under way.")] = False,
    as_json: AsJson = False,
) -> int:
    """Train a language model's adapter on the choices, if there are enough; DQA_TASTE_MODEL names the model.

    It waits for evaluations under way and has the device alone; the service does the same by itself after each step.
    What it makes serves only if it predicts held-out choices better than what served before. Ctrl-C gives it back: it
    goes on where it was. The exit code is 4 when nothing was trained.
    """
    from dqa.service.lineage import identity, is_gone
    from dqa.training.trainer import Trainer

    settings = runtime.settings_from(home=home, user=user, profile=profile)
    store = runtime.open_store(settings)
    trainer = Trainer(settings, store, identity(os.getpid()))
    if show:
        return _show(settings, store, trainer, as_json=as_json)
    if cancel:
        return _cancel(settings, store, as_json=as_json)
    store.trainings.release_lost(is_gone)
    trainer.tidy()
    asked = trainer.ask(settings.user, settings.profile, anyway=True)
    ended = _run(trainer, store, asked)
    _tell(ended, as_json=as_json)
    return 0 if ended.status == "done" else UnavailableError.exit_code


def _run(trainer: Trainer, store: Store, asked: Training) -> Training:
    """Runs the training here, or follows it where it runs already."""
    stop = threading.Event()

    def interrupted(_number: int, _frame: object) -> None:
        stop.set()

    before = {number: signal.signal(number, interrupted) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ended = trainer.run_next(_progress(), stop.is_set, asked.id)
        if ended is None:
            say("it runs already; waiting for it")
            ended = _follow(store, asked, stop)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if ended.active:
        raise Cancelled("the training was interrupted", fix="dqa tuner train goes on where it was")
    return ended


def _progress() -> Any:
    told = [""]

    def tell(progress: Progress | None) -> None:
        line = "waiting for evaluations to end" if progress is None else _line(progress)
        if line != told[0]:
            say(line)
            told[0] = line

    return tell


def _line(progress: Progress) -> str:
    if progress.stage not in ("distilling", "training"):
        return progress.stage
    doing = "learning from the light tier, " if progress.stage == "distilling" else ""
    held_out = "" if progress.eval_loss is None else f", held-out loss {progress.eval_loss:.3f}"
    loss = "" if progress.loss is None else f", loss {progress.loss:.3f}"
    return f"{doing}step {progress.step} of {progress.of}{loss}{held_out}"


def _follow(store: Store, asked: Training, stop: threading.Event) -> Training:
    while True:
        now = store.trainings.get(asked.id)
        if now is None:
            raise UnavailableError("the training is gone", fix="was the user deleted?")
        if not now.active or stop.is_set():
            return now
        time.sleep(_LOOK_S)


def _show(settings: Settings, store: Store, trainer: Trainer, *, as_json: bool) -> int:
    last = store.trainings.latest(settings.user, settings.profile)
    due = trainer.due(settings.user, settings.profile)
    if as_json:
        emit_json(
            {
                "user": settings.user,
                "profile": settings.profile,
                "enabled": trainer.enabled,
                "pairs": due.pairs,
                "new": due.new,
                "due": due.due,
                "why": due.why,
                "dropped": due.dropped,
                "training": None if last is None else _data(last),
            }
        )
        return 0
    model = settings.taste_model or "off: no DQA_TASTE_MODEL is set"
    emit(f"language model: {one_line(model)}")
    emit(f"{'due' if due.due else 'not due'}: {due.why}")
    emit("no training yet" if last is None else _sentence(last))
    return 0


def _cancel(settings: Settings, store: Store, *, as_json: bool) -> int:
    found = store.trainings.ask_to_cancel(settings.user, settings.profile)
    if found is None:
        raise UnavailableError("no training is under way", fix="see dqa tuner train --status")
    _tell(found, as_json=as_json)
    return 0


def _tell(training: Training, *, as_json: bool) -> None:
    if as_json:
        emit_json(_data(training))
    else:
        emit(_sentence(training))


def _data(training: Training) -> dict[str, Any]:
    outcome = dict(training.outcome or {})
    kept = {name: outcome[name] for name in ("reason", "loss", "steps", "adapter") if name in outcome}
    return {
        "id": training.id,
        "status": training.status,
        "progress": training.progress,
        "outcome": kept or None,
        "created": training.created,
        "ended": training.ended,
    }


def _sentence(training: Training) -> str:
    reason = (training.outcome or {}).get("reason")
    asked = " (asked to cancel)" if training.cancel_at is not None and training.active else ""
    return f"training {training.id}: {training.status}{asked}" + (f"; {one_line(str(reason))}" if reason else "")

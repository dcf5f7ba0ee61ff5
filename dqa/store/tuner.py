"""Training steps: each in one transaction, so that choices are consumed exactly once, whatever dies or overlaps.

A second trigger waits for the first one's transaction and then finds nothing new; a process killed in a step leaves
neither a half-made taste nor a consumed choice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from pydantic import JsonValue

from dqa.record import EvaluationRecord
from dqa.store.engine import reading, writing
from dqa.store.selections import Selection, read
from dqa.store.tables import evaluations, selections, tuner_steps
from dqa.taste.choice import Choice
from dqa.taste.features import Judged, Vector, features
from dqa.taste.learn import learn
from dqa.taste.taste import Taste

Output = dict[str, JsonValue]
"""What a step tells: ``{training_step, loss, new_patterns, model_confidence, ...}`` (mission 1.4)."""

_TREND = 20


class Tuner:
    """The training steps of one store."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def step(self, user: str) -> Output:
        """Learns from the choices that no step has seen yet; without any, tells the last output again.

        The output is ``{training_step, loss, new_patterns, model_confidence}`` and ``choices_seen``, ``new_choices``,
        ``unresolved`` (test_ids whose clips have no evaluation here), ``patterns`` and ``loss_trend``.
        """
        with writing(self._engine) as connection:
            if connection.dialect.name == "postgresql":  # SQLite's write lock is the whole database's already
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(user))))
            last = _last(connection, user)
            chosen = read(connection, _of_user(user))
            consumed = last.consumed if last is not None else 0
            new = [selection for selection in chosen if selection.seq > consumed]
            if last is not None and not new:
                return {**json.loads(last.output), "new_choices": 0, "new_patterns": []}
            version = last.version + 1 if last is not None else 1
            choices, unresolved = _resolve(connection, chosen)
            taste = learn(choices, version if new else 0)
            if not new:
                return _output(taste, None, [], unresolved, 0)
            output = _output(taste, last, _losses(connection, user), unresolved, len(new))
            _keep(connection, user, taste, chosen[-1].seq, output)
        return output

    def current(self, user: str) -> Taste | None:
        """The serving taste of a user; None before the first step."""
        with reading(self._engine) as connection:
            last = _last(connection, user)
        return None if last is None else Taste.model_validate_json(last.taste)

    def taste(self, user: str, profile: str, version: int | None) -> Taste | None:
        """The serving taste for a profile's scores, or the one of an earlier version; what an evaluator asks for."""
        del profile
        return self.current(user) if version is None else self.version(user, version)

    def version(self, user: str, version: int) -> Taste | None:
        """The taste that a step made; None if there was no such step."""
        query = sa.select(tuner_steps.c.taste).where(tuner_steps.c.user == user, tuner_steps.c.version == version)
        with reading(self._engine) as connection:
            text = connection.scalar(query)
        return None if text is None else Taste.model_validate_json(text)

    def history(self, user: str, limit: int = 100) -> list[Output]:
        """What the steps told, newest first."""
        query = sa.select(tuner_steps.c.output, tuner_steps.c.created).where(tuner_steps.c.user == user)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(tuner_steps.c.version.desc()).limit(limit)).all()
        return [{**json.loads(row.output), "created": row.created} for row in rows]


def _of_user(user: str) -> sa.Select[Any]:
    return sa.select(selections).where(selections.c.user == user).order_by(selections.c.seq)


def _last(connection: sa.Connection, user: str) -> sa.Row[tuple[object, ...]] | None:
    query = sa.select(tuner_steps).where(tuner_steps.c.user == user).order_by(tuner_steps.c.version.desc()).limit(1)
    return connection.execute(query).first()


def _losses(connection: sa.Connection, user: str) -> list[JsonValue]:
    query = sa.select(tuner_steps.c.output).where(tuner_steps.c.user == user).order_by(tuner_steps.c.version.desc())
    rows = connection.scalars(query.limit(_TREND)).all()
    return [json.loads(row)["loss"] for row in reversed(rows)]


def _resolve(connection: sa.Connection, chosen: Sequence[Selection]) -> tuple[list[Choice], list[str]]:
    """The choices as features, and the test_ids of those whose clips have no evaluation here."""
    wanted = {clip for selection in chosen for clip in (selection.a, selection.b)}
    known = {clip: _features(connection, clip) for clip in sorted(wanted)}
    choices: list[Choice] = []
    unresolved: list[str] = []
    for selection in chosen:
        a, b = known[selection.a], known[selection.b]
        if a is None or b is None:
            unresolved.append(selection.test_id)
        else:
            choices.append(Choice(a, b, selection.chosen))
    return choices, unresolved


def _features(connection: sa.Connection, clip: str) -> Vector | None:
    text = connection.scalar(sa.select(evaluations.c.record).where(evaluations.c.id == clip))
    return None if text is None else np.asarray(features(Judged.of(EvaluationRecord.from_json(text))))


def _output(
    taste: Taste, last: sa.Row[tuple[object, ...]] | None, losses: list[JsonValue], unresolved: list[str], new: int
) -> Output:
    before: set[str] = set(json.loads(last.output)["patterns"]) if last is not None else set()
    return {
        "training_step": taste.version,
        "loss": taste.loss,
        "new_patterns": [pattern for pattern in taste.patterns if pattern not in before],
        "model_confidence": taste.confidence,
        "choices_seen": taste.choices,
        "new_choices": new,
        "unresolved": list[JsonValue](unresolved),
        "patterns": list[JsonValue](taste.patterns),
        "loss_trend": [*losses, taste.loss],
    }


def _keep(connection: sa.Connection, user: str, taste: Taste, consumed: int, output: Output) -> None:
    connection.execute(
        tuner_steps.insert().values(
            user=user,
            version=taste.version,
            created=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            consumed=consumed,
            output=json.dumps(output),
            taste=taste.model_dump_json(),
        )
    )

"""Refinements: each brief that was taken from prompt to verdict until a clip was good enough, or none was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import sqlalchemy as sa
from pydantic import JsonValue

from dqa.errors import Conflict, InputError, RecordNotFound
from dqa.store import keys
from dqa.store.engine import reading, writing
from dqa.store.keys import IdempotencyKey
from dqa.store.refinement_figures import Figures, Run, figures
from dqa.store.tables import refinements

Record = dict[str, JsonValue]

OUTCOMES = ("accepted", "review", "exhausted", "failed")
MOST_RUNS = 10_000
"""Runs that figures are made of, the newest of them."""


class Refinements:
    """The refinements of one store."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def save(self, record: Mapping[str, Any], key: IdempotencyKey | None = None) -> bool:
        """Keeps a record (``dqa.refinement/1``); returns whether it is new. The same record or key changes nothing.

        Args:
            record: plain JSON, with ``id``, ``created``, ``user``, ``profile``, ``outcome``, ``cycles``, ``accepted``.
            key: the request's, in the service.

        Raises:
            InputError: a field is missing, or the outcome is none of :data:`OUTCOMES`.
            Conflict: there is another record with that id, or the key came with another content before.
        """
        row = _row(record)
        with writing(self._engine) as connection:
            if keys.recall(connection, key) is not None:
                return False
            known = connection.scalar(sa.select(refinements.c.record).where(refinements.c.id == row["id"]))
            if known is None:
                connection.execute(refinements.insert().values(**row))
            elif json.loads(known) != json.loads(row["record"]):
                raise Conflict("there is another refinement with that id", fix="records don't change; use a new id")
            keys.remember(connection, key, row["id"])
        return known is None

    def recall(self, key: IdempotencyKey | None) -> str | None:
        """The refinement that this key made before, or None; raises ``Conflict`` if it came with another content."""
        with reading(self._engine) as connection:
            return keys.recall(connection, key)

    def get(self, refinement_id: str) -> Record:
        """The record with that id; raises ``RecordNotFound``."""
        with reading(self._engine) as connection:
            text = connection.scalar(sa.select(refinements.c.record).where(refinements.c.id == refinement_id))
        if text is None:
            raise RecordNotFound("there is no refinement with that id", fix="check the id")
        return json.loads(text)

    def listed(self, user: str, limit: int = 20, before: str | None = None) -> list[Record]:
        """A user's records, newest first; ``before`` (an id) goes on where the last page ended."""
        query = sa.select(refinements.c.record).where(refinements.c.user == user)
        if before is not None:
            query = query.where(refinements.c.id < before)
        with reading(self._engine) as connection:
            found = connection.scalars(query.order_by(refinements.c.id.desc()).limit(limit)).all()
        return [json.loads(text) for text in found]

    def figures(self, user: str, window: int = 10) -> Figures:
        """How a user's runs went, in all and by windows of ``window`` runs; see :mod:`dqa.store.refinement_figures`."""
        columns = (refinements.c.created, refinements.c.outcome, refinements.c.cycles)
        query = sa.select(*columns).where(refinements.c.user == user)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(refinements.c.id.desc()).limit(MOST_RUNS)).all()
        return figures([Run(row.created, row.outcome, row.cycles) for row in reversed(rows)], window)


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    named = ("id", "created", "user", "profile", "outcome", "cycles")
    missing = [name for name in named if not record.get(name) and not isinstance(record.get(name), list)]
    if missing:
        raise InputError(f"a refinement has no {missing[0]}", fix="write it as dqa.refinement/1")
    if record["outcome"] not in OUTCOMES:
        raise InputError("a refinement has an outcome that is none", fix=f"use one of {', '.join(OUTCOMES)}")
    return {
        **{name: str(record[name]) for name in ("id", "created", "user", "profile", "outcome")},
        "cycles": len(cast("list[object]", record["cycles"])),
        "accepted": record.get("accepted"),
        "record": json.dumps(dict(record)),
    }

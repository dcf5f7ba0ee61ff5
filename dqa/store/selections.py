"""Choices: written once, kept for good, read in the order they came."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa

from dqa.errors import Conflict, UsageError
from dqa.store.engine import reading, writing
from dqa.store.tables import selections

Chosen = Literal["a", "b", "tie"]
Source = Literal["http", "cli", "block", "file"]


@dataclass(frozen=True, slots=True)
class Selection:
    """One choice of one user.

    Attributes:
        test_id: the choice's own name; a user has each once.
        a, b: evaluation ids (or, from a memory block, what it calls the clips).
        chosen: which one was preferred.
        created: when, ISO 8601 UTC; filled in when empty.
        seq: its place in the order they came; 0 before it is kept.
        left: which clip was shown on the left; None when unknown.
        why: the reasons that were ticked.
        received: when it arrived by our own clock, in seconds since the epoch; filled in when kept.
    """

    user: str
    test_id: str
    a: str
    b: str
    chosen: Chosen
    source: Source = "http"
    created: str = ""
    seq: int = 0
    left: Literal["a", "b"] | None = None
    why: tuple[str, ...] = ()
    received: float | None = None


class Selections:
    """The choices of one store."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, selection: Selection) -> tuple[Selection, bool]:
        """Keeps a choice; returns it as kept, and whether it is new (the same choice again is not).

        Raises:
            Conflict: the user made another choice under that test_id.
            UsageError: both sides are the same clip, or ``chosen`` is not a side.
        """
        _check(selection)
        with writing(self._engine) as connection:
            kept = _find(connection, selection.user, selection.test_id)
            if kept is not None:
                if (kept.a, kept.b, kept.chosen) != (selection.a, selection.b, selection.chosen):
                    what = "this user chose otherwise under that test_id before"
                    raise Conflict(what, fix="use a new test_id for a new choice")
                return kept, False
            created = selection.created or datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            columns = ("user", "test_id", "a", "b", "chosen", "source")
            values = {name: getattr(selection, name) for name in columns}
            values |= {"left_side": selection.left, "why": json.dumps(selection.why), "received": time.time()}
            connection.execute(selections.insert().values(**values, created=created))
            kept = _find(connection, selection.user, selection.test_id)
        if kept is None:
            raise LookupError("a row that was just written")
        return kept, True

    def page(self, user: str | None, limit: int, after: int = 0) -> list[Selection]:
        """Choices in the order they came, of one user or all, after a ``seq``."""
        query = sa.select(selections).where(selections.c.seq > after).order_by(selections.c.seq).limit(limit)
        if user is not None:
            query = query.where(selections.c.user == user)
        with reading(self._engine) as connection:
            return read(connection, query)


def read(connection: sa.Connection, query: sa.Select[Any]) -> list[Selection]:
    """The rows of a query over the table."""
    return [_selection(dict(row)) for row in connection.execute(query).mappings()]


def _selection(row: dict[str, Any]) -> Selection:
    left, why = row.pop("left_side"), json.loads(row.pop("why"))
    return Selection(**row, left=left, why=tuple(why))


def _find(connection: sa.Connection, user: str, test_id: str) -> Selection | None:
    query = sa.select(selections).where(selections.c.user == user, selections.c.test_id == test_id)
    return next(iter(read(connection, query)), None)


def _check(selection: Selection) -> None:
    if selection.chosen not in get_args(Chosen):
        raise UsageError(f"{selection.chosen!r} is not a side", fix="say a, b or tie")
    if selection.a == selection.b:
        raise UsageError("both sides are the same clip", fix="choose between two evaluations")

"""What a list of verdicts shows of each, apart from the records themselves, which are a hundred times larger.

A row is written with its record and goes with it (by the database), and holds nothing that the record does not say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from dqa.record import EvaluationRecord
from dqa.store.tables import evaluations, summaries

SHOWN_CHARACTERS = 300
"""As much of a prompt as a list shows; it is searched whole."""

Row = TypeVar("Row", bound=tuple[Any, ...])


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which verdicts to list; None is any.

    Attributes:
        text: what the prompt must hold, in upper or lower case.
        before: an id; only older ones.
    """

    user: str | None = None
    profile: str | None = None
    grade: str | None = None
    action: str | None = None
    text: str | None = None
    before: str | None = None


def insert(connection: sa.Connection, record: EvaluationRecord) -> None:
    """Writes the row of a record that was just written."""
    prompt = _storable(record.prompt)
    connection.execute(
        summaries.insert().values(
            id=record.id,
            created=record.created,
            user=record.user,
            profile=record.profile,
            grade=record.grade,
            final=record.final,
            action=record.action,
            kind=record.media.kind,
            duration_s=record.media.duration_s,
            excerpt=prompt[:SHOWN_CHARACTERS],
            folded=prompt.casefold(),
        )
    )


def page(connection: sa.Connection, limit: int, wanted: Wanted) -> Sequence[sa.RowMapping]:
    """``{id, created, user, profile, prompt, grade, final, action, kind, duration_s}``, newest first."""
    names = ("id", "created", "user", "profile", "grade", "final", "action", "kind", "duration_s")
    query = sa.select(*(summaries.c[name] for name in names), summaries.c.excerpt.label("prompt"))
    return connection.execute(_narrowed(query, wanted).limit(limit)).mappings().all()


def records(connection: sa.Connection, limit: int, wanted: Wanted) -> Sequence[str]:
    """The whole records of the same verdicts, as JSON."""
    query = sa.select(evaluations.c.record).join_from(evaluations, summaries, evaluations.c.id == summaries.c.id)
    return connection.scalars(_narrowed(query, wanted).limit(limit)).all()


def count(connection: sa.Connection, wanted: Wanted) -> int:
    """How many there are."""
    query = _narrowed(sa.select(summaries.c.id), wanted).order_by(None).subquery()
    return connection.scalar(sa.select(sa.func.count()).select_from(query)) or 0


def _narrowed(query: sa.Select[Row], wanted: Wanted) -> sa.Select[Row]:
    query = query.order_by(summaries.c.id.desc())
    for name in ("user", "profile", "grade", "action"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(summaries.c[name] == value)
    if wanted.before is not None:
        query = query.where(summaries.c.id < wanted.before)
    if wanted.text:
        query = query.where(summaries.c.folded.contains(_storable(wanted.text).casefold(), autoescape=True))
    return query


def _storable(text: str) -> str:
    """PostgreSQL's text holds no NUL, and no database half a surrogate pair."""
    return text.replace("\0", "�").encode("utf-8", "replace").decode("utf-8")

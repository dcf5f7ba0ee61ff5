"""Which version of a user's taste serves each profile, and which choices are set aside.

A choice is set aside by its place in the log: a range ``(after, until]`` of ``selections.seq``. Nothing is deleted, so
whatever was set aside can be brought back by making the version serve that had learned from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dqa.store.tables import tuner_heads, tuner_steps

Range = tuple[int, int]
"""Choices with ``after < seq <= until``."""


@dataclass(frozen=True, slots=True)
class Head:
    """What serves one profile of one user.

    Attributes:
        profile: whose scores it judges.
        version: the serving version; None after a reset.
        excluded: the choices that are set aside, in order, none overlapping.
        updated: when this changed last, ISO 8601 UTC.
    """

    profile: str
    version: int | None
    excluded: tuple[Range, ...] = ()
    updated: str = ""

    def sets_aside(self, seq: int) -> bool:
        """Whether a choice does not count."""
        return within(self.excluded, seq)


def within(ranges: Iterable[Range], seq: int) -> bool:
    """Whether a place in the log lies in one of the ranges."""
    return any(after < seq <= until for after, until in ranges)


def merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The same places as few ranges, in order.

    >>> merged([(7, 9), (0, 2), (1, 3), (3, 5), (6, 6)])
    ((0, 5), (7, 9))
    """
    found: list[Range] = []
    for after, until in sorted(r for r in ranges if r[0] < r[1]):
        if found and after <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((after, until))
    return tuple(found)


def parse(text: str) -> tuple[Range, ...]:
    """Ranges as they are kept; damaged text sets nothing aside."""
    try:
        return merged((int(after), int(until)) for after, until in json.loads(text))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return ()


def heads_of(connection: sa.Connection, user: str) -> dict[str, Head]:
    """The heads of a user by profile, the newest first.

    A step of a database that knew no heads serves as it did then: the newest of its profile.
    """
    rows = connection.execute(sa.select(tuner_heads).where(tuner_heads.c.user == user)).all()
    found = {row.profile: Head(row.profile, row.version, parse(row.excluded), row.updated) for row in rows}
    for head in _headless(connection, user):
        found.setdefault(head.profile, head)
    return dict(sorted(found.items(), key=lambda item: item[1].updated, reverse=True))


def _headless(connection: sa.Connection, user: str) -> list[Head]:
    steps = tuner_steps.c
    query = sa.select(steps.profile, steps.version, steps.created, steps.excluded).where(
        steps.user == user, steps.promoted
    )
    newest: dict[str, Head] = {}
    for row in connection.execute(query.order_by(steps.version)):
        newest[row.profile] = Head(row.profile, row.version, parse(row.excluded), row.created)
    return list(newest.values())


def find(heads: Mapping[str, Head], profile: str | None) -> Head | None:
    """The head of a profile; of the newest one when ``profile`` is None."""
    return next(iter(heads.values()), None) if profile is None else heads.get(profile)


def keep(connection: sa.Connection, user: str, head: Head) -> None:
    """Writes a head, as of now, and as the user's newest: two of one step may come within one tick of the clock."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    newest = next(iter(heads_of(connection, user).values()), None)
    updated = now() if newest is None else max(now(), _after(newest.updated))
    values = {"version": head.version, "excluded": json.dumps(head.excluded), "updated": updated}
    statement = dialect.insert(tuner_heads).values(user=user, profile=head.profile, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["user", "profile"], set_=values))


def now() -> str:
    """The time as it is kept: ISO 8601 UTC, sortable as text."""
    return _written(datetime.now(UTC))


def _after(moment: str) -> str:
    """The first moment that sorts behind another; the clock's own first one for text that is no time."""
    try:
        return _written(datetime.fromisoformat(moment) + timedelta(milliseconds=1))
    except ValueError:
        return ""


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

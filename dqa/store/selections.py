"""Choices: written once, kept for good, read in the order they came."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import sqlalchemy as sa

from dqa.errors import Busy, Conflict, DQAError, UsageError
from dqa.store import keys, moments
from dqa.store.engine import reading, writing
from dqa.store.keys import IdempotencyKey
from dqa.store.tables import evaluations, selections

Chosen = Literal["a", "b", "tie"]
Source = Literal["http", "cli", "block", "file"]


_MINUTE_S = 60.0
_AT_ONCE = 400
"""Names in one query: SQLite takes a limited number of parameters."""


class TooManyChoices(Busy):
    """A user sends choices faster than anybody chooses.

    Attributes:
        retry_after_s: when the next one will be taken.
    """

    type = "too-many-choices"
    title = "Too many choices"

    retry_after_s: int = math.ceil(_MINUTE_S)


@dataclass(frozen=True, slots=True)
class Selection:
    """One choice of one user.

    Attributes:
        test_id: the choice's own name; a user has each once.
        a, b: evaluation ids (or, from a memory block, what it calls the clips).
        chosen: which one was preferred.
        created: when, ISO 8601; kept in UTC, and filled in when it is empty or no time.
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

    @property
    def made(self) -> float:
        """When the choice was made, in seconds since the epoch: as it says itself, but never after it arrived."""
        told = moments.seconds(self.created)
        if told is None or self.received is None:
            return told if told is not None else self.received or 0.0
        return min(told, self.received)


@dataclass(frozen=True, slots=True)
class Intake:
    """What came of many choices.

    Attributes:
        known: those of these tests that were kept before, by test_id, as they are kept.
        new: how many were kept now, the first of them.
        left: the new ones that were too many.
        retry_after_s: when there is room for some of them.
        refused: those between two evaluations of one clip.
    """

    known: Mapping[str, Selection]
    new: int
    left: tuple[Selection, ...]
    retry_after_s: int
    refused: tuple[Selection, ...] = ()


class Selections:
    """The choices of one store."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(
        self, selection: Selection, key: IdempotencyKey | None = None, per_minute: int | None = None
    ) -> tuple[Selection, bool]:
        """Keeps a choice; returns it as kept, and whether it is new (the same choice again is not).

        Args:
            selection: the choice.
            key: the same key again gets the same answer.
            per_minute: how many choices of one user are taken over HTTP in any minute; default any number. They are
                counted in the database, so that several services agree.

        Raises:
            Conflict: the user made another choice under that test_id, or the key came with another content before.
            UsageError: both sides are the same clip, or ``chosen`` is not a side.
            TooManyChoices: over ``per_minute``; nothing was kept.
        """
        _check(selection)
        with writing(self._engine) as connection:
            repeated = _recall(connection, key)
            if repeated is not None:
                return repeated
            kept, new = _keep(connection, selection, per_minute)
            if keys.recall(connection, key) is None:
                keys.remember(connection, key, f"{kept.seq}{NEW if new else ''}")
        return kept, new

    def add_all(self, many: Sequence[Selection]) -> list[tuple[Selection, bool] | DQAError]:
        """:meth:`add` for many in one transaction; what is refused is told in its place, and the others are kept."""
        done: list[tuple[Selection, bool] | DQAError] = []
        with writing(self._engine) as connection:
            for selection in many:
                try:
                    _check(selection)
                    done.append(_keep(connection, selection, None))
                except (Conflict, UsageError) as error:
                    done.append(error)
        return done

    def take(self, user: str, many: Sequence[Selection], most: int) -> Intake:
        """Keeps what is new of a block's choices, in one transaction, up to ``most`` of the user's in any minute.

        Args:
            user: whose choices they all are.
            many: the choices, each test once, with source ``block``.
            most: counted in the database, so that several services agree.
        """
        with writing(self._engine) as connection:
            known = _known(connection, user, [one.test_id for one in many])
            new = [one for one in many if one.test_id not in known]
            room, wait = _room(connection, user, most) if new else (0, 0)
            media = _media(connection, [side for one in new[:room] for side in (one.a, one.b)])
            taken = [one for one in new[:room] if media.get(one.a, one.a) != media.get(one.b, one.b)]
            if taken:
                connection.execute(selections.insert(), [_values(one) for one in taken])
        refused = tuple(one for one in new[:room] if one not in taken)
        return Intake(known, len(taken), tuple(new[room:]), wait, refused)

    def page(self, user: str | None, limit: int, after: int = 0) -> list[Selection]:
        """Choices in the order they came, of one user or all, after a ``seq``."""
        query = sa.select(selections).where(selections.c.seq > after).order_by(selections.c.seq).limit(limit)
        if user is not None:
            query = query.where(selections.c.user == user)
        with reading(self._engine) as connection:
            return read(connection, query)


def newest_choice(connection: sa.Connection, user: str) -> int:
    """The place of a user's newest choice in the log; 0 without any."""
    query = sa.select(sa.func.max(selections.c.seq)).where(selections.c.user == user)
    return connection.scalar(query) or 0


def read(connection: sa.Connection, query: sa.Select[Any]) -> list[Selection]:
    """The rows of a query over the table."""
    return [_selection(dict(row)) for row in connection.execute(query).mappings()]


def _selection(row: dict[str, Any]) -> Selection:
    left, why = row.pop("left_side"), row.pop("why")
    return Selection(**row, left=left if left in ("a", "b") else None, why=_reasons(why))


def _reasons(text: str) -> tuple[str, ...]:
    """The reasons that were kept; none where the text is damaged."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    return tuple(item for item in found if isinstance(item, str)) if isinstance(found, list) else ()


def _find(connection: sa.Connection, user: str, test_id: str) -> Selection | None:
    query = sa.select(selections).where(selections.c.user == user, selections.c.test_id == test_id)
    return next(iter(read(connection, query)), None)


def _keep(connection: sa.Connection, selection: Selection, per_minute: int | None) -> tuple[Selection, bool]:
    kept = _find(connection, selection.user, selection.test_id)
    if kept is None:
        _refuse_one_clip(connection, selection)
        _refuse_flood(connection, selection, per_minute)
        return _insert(connection, selection), True
    if not _alike(connection, kept, selection):
        what = "this user chose otherwise under that test_id before"
        raise Conflict(what, fix="use a new test_id for a new choice")
    return kept, False


def _known(connection: sa.Connection, user: str, test_ids: Sequence[str]) -> dict[str, Selection]:
    """The choices kept under these names."""
    found: list[Selection] = []
    for at in range(0, len(test_ids), _AT_ONCE):
        part = test_ids[at : at + _AT_ONCE]
        query = sa.select(selections).where(selections.c.user == user, selections.c.test_id.in_(part))
        found += read(connection, query)
    return {one.test_id: one for one in found}


def _room(connection: sa.Connection, user: str, most: int) -> tuple[int, int]:
    """How many choices of blocks may still be taken within this minute, and in how many seconds there are more."""
    now, chosen = time.time(), selections.c
    lately = (chosen.user == user, chosen.source == "block", chosen.received > now - _MINUTE_S)
    query = sa.select(sa.func.count(), sa.func.min(chosen.received)).where(*lately)
    came, first = connection.execute(query).one()
    return max(0, most - came), max(1, math.ceil((first or now) + _MINUTE_S - now))


def _refuse_one_clip(connection: sa.Connection, selection: Selection) -> None:
    media = _media(connection, (selection.a, selection.b))
    if len(media) == 2 and len(set(media.values())) == 1:
        what = "both sides are the same clip, evaluated twice"
        raise UsageError(what, fix="choose between two clips of different content")


def _alike(connection: sa.Connection, kept: Selection, other: Selection) -> bool:
    """Whether two choices say the same, whichever clip is called A, and by whichever evaluation a clip is named."""
    if _said(kept) == _said(other):
        return True
    media = _media(connection, (kept.a, kept.b, other.a, other.b))
    return _said(kept, media) == _said(other, media)


def _said(selection: Selection, called: Mapping[str, str] | None = None) -> tuple[frozenset[str], str | None]:
    """Which clips were chosen between, and which of them won; None for a tie."""
    a, b = ((called or {}).get(side, side) for side in (selection.a, selection.b))
    return frozenset((a, b)), {"a": a, "b": b}.get(selection.chosen)


def _media(connection: sa.Connection, ids: Collection[str]) -> dict[str, str]:
    """Evaluation -> hash of its media, of those that are there."""
    query = sa.select(evaluations.c.id, evaluations.c.sha256).where(evaluations.c.id.in_(set(ids)))
    return {row.id: row.sha256 for row in connection.execute(query)}


def _values(selection: Selection) -> dict[str, Any]:
    created = moments.utc(selection.created) or moments.utc(time.time())
    columns = ("user", "test_id", "a", "b", "chosen", "source")
    values = {name: getattr(selection, name) for name in columns}
    more = {"left_side": selection.left, "why": json.dumps(selection.why), "received": time.time()}
    return {**values, **more, "created": created}


def _insert(connection: sa.Connection, selection: Selection) -> Selection:
    connection.execute(selections.insert().values(**_values(selection)))
    kept = _find(connection, selection.user, selection.test_id)
    if kept is None:
        raise LookupError("a row that was just written")
    return kept


NEW = " new"
"""Ends what a key remembers of a choice that was new; before it stands the choice's ``seq``."""


def _recall(connection: sa.Connection, key: IdempotencyKey | None) -> tuple[Selection, bool] | None:
    """What the key kept before; None when it kept nothing, or that is deleted."""
    known = keys.recall(connection, key)
    if known is None:
        return None
    seq = int(known.removesuffix(NEW))
    kept = next(iter(read(connection, sa.select(selections).where(selections.c.seq == seq))), None)
    return None if kept is None else (kept, known.endswith(NEW))


def _refuse_flood(connection: sa.Connection, selection: Selection, per_minute: int | None) -> None:
    if per_minute is None or selection.source != "http":
        return
    now, chosen = time.time(), selections.c
    lately = sa.select(chosen.received).where(
        chosen.user == selection.user, chosen.source == "http", chosen.received > now - _MINUTE_S
    )
    # The one that has to be a minute old before there is room again.
    full = connection.scalar(lately.order_by(chosen.received.desc()).offset(per_minute - 1).limit(1))
    if full is not None:
        wait = max(1, min(math.ceil(_MINUTE_S), math.ceil(full + _MINUTE_S - now)))
        error = TooManyChoices(f"over {per_minute} choices in a minute", fix=f"go on in {wait} s")
        error.retry_after_s = wait
        raise error


def _check(selection: Selection) -> None:
    if selection.chosen not in get_args(Chosen):
        raise UsageError(f"{selection.chosen!r} is not a side", fix="say a, b or tie")
    if selection.a == selection.b:
        raise UsageError("both sides are the same clip", fix="choose between two evaluations")

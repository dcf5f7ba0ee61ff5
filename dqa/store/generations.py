"""Clips asked of the operator's generator, as rows: each ends exactly once, whatever dies on the way.

A generation goes ``queued -> running -> done | failed | cancelled``. Whoever runs it holds it under its name, and every
write is bound to that name. The id that the generator knows it by is drawn before the generator is asked, so that the
next one to run it can look for it there and does not have the clip made twice.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from pydantic import JsonValue

from dqa.errors import Busy, Conflict
from dqa.store import keys
from dqa.store.engine import reading, writing
from dqa.store.jobs import JobState, Problem
from dqa.store.keys import IdempotencyKey
from dqa.store.media import MediaShelf
from dqa.store.tables import generations, media


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation as its row says.

    Attributes:
        request: prompt, negative, seed, workflow, attempt.
        run: the generator's id of it.
        submitted: whether the generator may have been asked already.
        media_id: the clip; None before it is done.
        cancelling: whether somebody asked for its end.
    """

    id: str
    user: str
    status: JobState
    request: dict[str, JsonValue]
    run: str
    submitted: bool
    media_id: str | None
    owner: str | None
    cancelling: bool
    error: Problem | None


class Generations:
    """The generations of one store."""

    def __init__(self, engine: sa.Engine, shelf: MediaShelf) -> None:
        self._engine = engine
        self._shelf = shelf

    def add(
        self, gen_id: str, user: str, request: dict[str, JsonValue], most: int, key: IdempotencyKey | None = None
    ) -> tuple[str, bool]:
        """Queues one; returns its id, and whether it is new (a known key gives what it made before).

        Raises:
            Busy: ``most`` wait already.
            Conflict: the key came with another content before.
        """
        with writing(self._engine) as connection:
            known = keys.recall(connection, key)
            if known is not None:
                return known, False
            waiting = sa.select(sa.func.count()).where(generations.c.status == "queued")
            if (connection.scalar(waiting) or 0) >= most:
                raise Busy(f"{most} clips wait to be generated already", fix="try again later")
            values = {"id": gen_id, "user": user, "request": json.dumps(request), "run": str(uuid.uuid4())}
            new = generations.insert().values(**values, created=time.time(), status="queued", submitted=False)
            connection.execute(new)
            keys.remember(connection, key, gen_id)
        return gen_id, True

    def get(self, gen_id: str) -> Generation | None:
        """The generation with that id, or None."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(generations).where(generations.c.id == gen_id)).first()
        return None if row is None else _generation(row)

    def seed_of(self, media_id: str, user: str) -> int | None:
        """The seed that a clip was made with for this user, the newest of several; None for one made elsewhere."""
        table = generations.c
        query = sa.select(table.request).where(table.media_id == media_id, table.user == user)
        with reading(self._engine) as connection:
            text = connection.scalar(query.order_by(table.id.desc()).limit(1))
        seed = None if text is None else json.loads(text).get("seed")
        return seed if isinstance(seed, int) else None

    def take(self, owner: str) -> Generation | None:
        """The oldest that waits, now held by ``owner``; None where nothing waits. Two runners never get the same."""
        queued = sa.select(generations.c.id).where(generations.c.status == "queued").order_by(generations.c.id).limit(1)
        with reading(self._engine) as connection:  # the cheap look: most often there is nothing
            if connection.scalar(queued) is None:
                return None
        table = generations.c
        change = (
            generations.update()
            .where(table.id == queued.scalar_subquery(), table.status == "queued")
            .values(status="running", owner=owner, started=sa.func.coalesce(table.started, time.time()))
            .returning(*table)
        )
        with writing(self._engine) as connection:
            row = connection.execute(change).first()
        return None if row is None else _generation(row)

    def submitting(self, gen_id: str, owner: str) -> bool:
        """Notes that the generator is about to be asked; False when it is no longer this runner's, or cancelled."""
        change = _held(gen_id, owner).where(generations.c.cancel_at.is_(None)).values(submitted=True)
        with writing(self._engine) as connection:
            return connection.execute(change).rowcount == 1

    def cancelling(self, gen_id: str) -> bool:
        """Whether somebody asked for its end (or deleted it)."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(generations.c.cancel_at).where(generations.c.id == gen_id)).first()
        return row is None or row.cancel_at is not None

    def complete(self, gen_id: str, owner: str, media_id: str) -> bool:
        """Ends it with its clip; False when it is no longer this runner's."""
        return self._end(gen_id, owner, "done", media_id=media_id)

    def fail(self, gen_id: str, owner: str, problem: Problem) -> bool:
        """Ends it with a reason."""
        return self._end(gen_id, owner, "failed", error=json.dumps(problem))

    def cancelled(self, gen_id: str, owner: str) -> bool:
        """Ends it as cancelled."""
        return self._end(gen_id, owner, "cancelled")

    def ask_to_cancel(self, gen_id: str) -> JobState | None:
        """Cancels one that waits, asks the runner of one that runs; returns the state before, None if unknown."""
        with writing(self._engine) as connection:
            status = connection.scalar(sa.select(generations.c.status).where(generations.c.id == gen_id))
            change = generations.update().where(generations.c.id == gen_id)
            if status == "queued":
                connection.execute(change.values(status="cancelled", ended=time.time()))
            elif status == "running":
                connection.execute(change.values(cancel_at=sa.func.coalesce(generations.c.cancel_at, time.time())))
        return cast("JobState | None", status)

    def release_lost(self, is_gone: Callable[[str], bool]) -> list[str]:
        """Queues again what runners held that are gone; their run at the generator is looked for, not begun anew."""
        with writing(self._engine) as connection:
            running = sa.select(generations.c.id, generations.c.owner).where(generations.c.status == "running")
            lost = [row.id for row in connection.execute(running) if is_gone(row.owner or "")]
            change = generations.update().where(generations.c.id.in_(lost))
            if lost:
                connection.execute(change.values(status="queued", owner=None))
        return lost

    def delete(self, gen_id: str) -> None:
        """Forgets one that has ended, and its clip unless something else needs it.

        Raises:
            Conflict: it is under way; cancel it first.
        """
        file = None
        with writing(self._engine) as connection:
            row = connection.execute(sa.select(generations).where(generations.c.id == gen_id)).first()
            if row is not None and row.status in ("queued", "running"):
                raise Conflict("the generation is still under way", fix="cancel it first")
            connection.execute(generations.delete().where(generations.c.id == gen_id))
            if row is not None and row.media_id is not None:
                sha256 = connection.scalar(sa.select(media.c.sha256).where(media.c.id == row.media_id))
                file = self._shelf.remove_unused(connection, sha256) if sha256 else None
        if file is not None:
            file.unlink(missing_ok=True)

    def _end(self, gen_id: str, owner: str, status: JobState, **more: str) -> bool:
        with writing(self._engine) as connection:
            change = _held(gen_id, owner).values(status=status, ended=time.time(), **more)
            return connection.execute(change).rowcount == 1


def _held(gen_id: str, owner: str) -> sa.Update:
    table = generations.c
    return generations.update().where(table.id == gen_id, table.owner == owner, table.status == "running")


def _generation(row: sa.Row[Any]) -> Generation:
    error = json.loads(row.error) if row.error else None
    cancelling = row.cancel_at is not None
    request = json.loads(row.request)
    return Generation(
        row.id, row.user, row.status, request, row.run, row.submitted, row.media_id, row.owner, cancelling, error
    )

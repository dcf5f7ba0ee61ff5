"""Idempotency keys: a POST that is sent again makes nothing new."""

from __future__ import annotations

import time
from dataclasses import dataclass

import sqlalchemy as sa

from dqa.errors import Conflict
from dqa.ids import user_key
from dqa.store.engine import reading, writing
from dqa.store.tables import idempotency

KEPT_S = 24 * 3600.0
"""How long a key is remembered."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The client's key, the route it was sent to, and the SHA-256 of what was asked."""

    key: str
    route: str
    body_sha256: str


def recall(connection: sa.Connection, key: IdempotencyKey | None) -> str | None:
    """The id of what this key made before, or None.

    Raises:
        Conflict: the key came with another content before.
    """
    if key is None:
        return None
    row = connection.execute(
        sa.select(idempotency.c.resource, idempotency.c.body_sha256).where(
            idempotency.c.key == key.key, idempotency.c.route == key.route
        )
    ).first()
    if row is None:
        return None
    if row.body_sha256 != key.body_sha256:
        raise Conflict("this Idempotency-Key came with another content before", fix="use a new key for a new request")
    return str(row.resource)


def remember(connection: sa.Connection, key: IdempotencyKey | None, resource: str) -> None:
    """Ties the key to what it made, in the same transaction."""
    if key is not None:
        values = {"key": key.key, "route": key.route, "body_sha256": key.body_sha256, "resource": resource}
        connection.execute(idempotency.insert().values(**values, created=time.time()))


def forget_old(connection: sa.Connection) -> None:
    """Drops keys older than :data:`KEPT_S`."""
    connection.execute(idempotency.delete().where(idempotency.c.created < time.time() - KEPT_S))


def mark(user: str) -> str:
    """Begins what a key remembers that made no row of its own: whose it is, so that it goes with the user."""
    return user_key(user)[:20]


class Answered:
    """The keys of requests that made no row of their own. Threads may share it."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def recall(self, key: IdempotencyKey | None) -> str | None:
        """What a request with this key was told; None for a new one. Raises ``Conflict`` as :func:`recall` does."""
        if key is None:
            return None
        with reading(self._engine) as connection:
            known = recall(connection, key)
        return None if known is None else known.partition(" ")[2]

    def remember(self, key: IdempotencyKey | None, user: str, told: str = "") -> None:
        """Keeps what the first request with this key was told, in up to 19 characters; raises ``Conflict`` likewise."""
        if key is None:
            return
        with writing(self._engine) as connection:
            if recall(connection, key) is None:
                remember(connection, key, f"{mark(user)} {told}")

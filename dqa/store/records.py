"""Verdicts: one row each, whoever asked."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dqa.record import EvaluationRecord
from dqa.store import rewards, summaries
from dqa.store.tables import evaluations, jobs, media_locations


def insert(connection: sa.Connection, record: EvaluationRecord, media_path: str | None) -> None:
    """Writes a record, and where its media was seen; None for one whose media never was on this machine."""
    connection.execute(
        evaluations.insert().values(
            id=record.id,
            created=record.created,
            user=record.user,
            profile=record.profile,
            sha256=record.media.sha256,
            grade=record.grade,
            final=record.final,
            record=record.to_json(),
        )
    )
    summaries.insert(connection, record)
    if media_path is not None:  # judged here: a file from elsewhere may say what it likes
        rewards.keep_of(connection, record)
        locate(connection, record.media.sha256, media_path)


def locate(connection: sa.Connection, sha256: str, path: str) -> None:
    """Remembers where the file with that content lies now."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"path": path, "seen": time.time()}
    statement = dialect.insert(media_locations).values(sha256=sha256, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["sha256"], set_=values))


def find(connection: sa.Connection, record_id: str) -> str | None:
    """The record's JSON, or None."""
    return connection.scalar(sa.select(evaluations.c.record).where(evaluations.c.id == record_id))


def hash_of(connection: sa.Connection, record_id: str) -> str | None:
    """SHA-256 of the media that the record judged; None when there is no such record."""
    return connection.scalar(sa.select(evaluations.c.sha256).where(evaluations.c.id == record_id))


def on(connection: sa.Connection, sha256: str, profile: str) -> list[str]:
    """The JSON of a profile's records on media with that content, newest first."""
    wanted = sa.select(evaluations.c.record).where(evaluations.c.sha256 == sha256, evaluations.c.profile == profile)
    return list(connection.scalars(wanted.order_by(evaluations.c.id.desc())))


def remove(connection: sa.Connection, record_id: str) -> str | None:
    """Deletes the record and its ended job; returns its media's SHA-256, or None if there was neither."""
    sha256 = hash_of(connection, record_id)
    connection.execute(evaluations.delete().where(evaluations.c.id == record_id))
    connection.execute(jobs.delete().where(jobs.c.id == record_id))
    return sha256

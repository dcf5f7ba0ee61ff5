"""The database underneath: connections, transactions, and its failures as sentences."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from dqa.errors import ConfigError, DQAError, UnavailableError

_BUSY_S = 10.0
"""How long a connection waits for another's write before it says that the database is busy."""

_WRITER = 0x445142
"""Key of the writers' advisory lock on PostgreSQL."""

_WRITES = {"dqa_writes": True}


def create(url: str) -> sa.Engine:
    """An engine for SQLite or PostgreSQL; connects to nothing yet.

    Raises:
        ConfigError: not a database URL, or one whose driver is not installed.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        engine = sa.create_engine(parsed, pool_pre_ping=True, hide_parameters=True)
        event.listen(engine, "begin", _begin_postgresql)
        return engine
    except exc.ArgumentError:
        raise ConfigError(
            "not a database URL", fix="use sqlite:///FILE or postgresql://...", where="DQA_DATABASE_URL"
        ) from None
    except ModuleNotFoundError as error:
        fix = "pip install 'dqa[postgres]'"
        raise UnavailableError(f"the Python package {error.name} is not installed", fix=fix) from None


def _sqlite(url: sa.URL) -> sa.Engine:
    arguments = {"timeout": _BUSY_S, "check_same_thread": False}
    engine = sa.create_engine(url, connect_args=arguments, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own transactions start too late: see _begin_sqlite
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")  # what was answered survives a power cut
    connection.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten, not only unlinked


def _begin_sqlite(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later can fail halfway; one that will write takes its place at once.
    writes = connection.get_execution_options().get("dqa_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: sa.Connection) -> None:
    # One writer at a time, as on SQLite: what holds on the one (a full queue, a key used twice) holds on the other.
    if connection.get_execution_options().get("dqa_writes", False):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITER)))


@contextmanager
def reading(engine: sa.Engine) -> Generator[sa.Connection]:
    """A connection that sees one consistent state; raises ``UnavailableError`` when the database fails."""
    with translated(), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: sa.Engine) -> Generator[sa.Connection]:
    """A transaction: all of it happens, or nothing; raises ``UnavailableError`` when the database fails."""
    with translated(), engine.connect().execution_options(**_WRITES) as connection, connection.begin():
        yield connection


@contextmanager
def translated() -> Generator[None]:
    """Turns the driver's failures into :class:`UnavailableError`."""
    try:
        yield
    except exc.DBAPIError as error:
        raise explain(str(error.orig)) from error


def explain(message: str) -> DQAError:
    """What a database's message means, and what to do about it."""
    for words, what, fix in _MEANINGS:
        if words in message:
            return UnavailableError(what, fix=fix)
    return UnavailableError("the database failed", fix="see the log, and run dqa doctor")


_MEANINGS = (
    ("disk is full", "the disk is full", "free some space in the state folder and try again"),
    ("No space left", "the disk is full", "free some space on the database's machine and try again"),
    ("database is locked", "the database is busy", "try again in a moment"),
    ("readonly database", "the database can't be written", "make the state folder writable"),
    ("unable to open", "the database can't be opened", "make the state folder writable, or set DQA_HOME"),
    ("disk I/O error", "the disk failed while the database was used", "check the disk and its free space"),
    ("malformed", "the database file is damaged", "restore it from a copy, or move it away to begin anew"),
    ("not a database", "the database file is not a database", "set DQA_DATABASE_URL, or move the file away"),
    ("onnection", "the database does not answer", "start it, or correct DQA_DATABASE_URL"),
)

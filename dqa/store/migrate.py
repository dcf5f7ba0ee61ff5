"""Brings a database to the newest tables; safe when several processes start at once, quick when it is up to date."""

from __future__ import annotations

import fcntl
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqa.errors import UnavailableError
from dqa.store.engine import reading, translated, writing

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0005"
"""The newest migration. Compared first: alembic itself is imported only when there is something to do."""

_LOCK = 0x445141
"""Key of the advisory lock on PostgreSQL ("DQA")."""


def migrate(engine: sa.Engine) -> None:
    """Creates or upgrades the tables; a failure leaves the database as it was.

    Raises:
        UnavailableError: the database is newer than this version of DQA, or can't be written.
    """
    if version(engine) == HEAD:
        return
    with _alone(engine):
        found = version(engine)
        if found != HEAD:
            _upgrade(engine, found)


def version(engine: sa.Engine) -> str | None:
    """The migration the database is at; None when it has no tables yet."""
    with reading(engine) as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(engine: sa.Engine, found: str | None) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise UnavailableError("the database was made by a newer version of DQA", fix="upgrade DQA")
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def alembic_config() -> Config:
    """Alembic's view of the migrations inside this package."""
    from alembic.config import Config

    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    return config


@contextmanager
def _alone(engine: sa.Engine) -> Generator[None]:
    """Holds the right to migrate; others wait."""
    if engine.dialect.name == "sqlite":
        with _file_lock(engine):
            yield
    else:
        with reading(engine) as connection:
            connection.execute(sa.select(sa.func.pg_advisory_lock(_LOCK)))
            yield
            connection.execute(sa.select(sa.func.pg_advisory_unlock(_LOCK)))


@contextmanager
def _file_lock(engine: sa.Engine) -> Generator[None]:
    database = engine.url.database
    if not database or database == ":memory:":
        yield
        return
    with Path(f"{database}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # Readers go on while one writes. It stays set in the file, and changing it needs the file for itself.
        with translated(), closing(engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA journal_mode=WAL")
        yield

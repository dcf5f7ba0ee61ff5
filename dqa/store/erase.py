"""What deleting leaves behind, and how it goes: text in free pages of the database, and files that rows named.

A row that is deleted is gone for every query, but not from the disk: its bytes stand in pages of the database file
that are free now, and in the write-ahead log. :func:`scrub` rewrites both.

Files can't be part of a transaction. So a :class:`Note` of what is to go is on the disk before the transaction ends,
and stays until all of it is gone; whoever finds one later finishes what it says (:meth:`Notes.sweep`).
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from dqa.ids import new_id
from dqa.store.disk import writing_files
from dqa.store.engine import explain, translated
from dqa.store.media import sync_folder

_PATIENCE_S = 10.0
"""How long the log's last readers are waited for."""


@dataclass(frozen=True, slots=True)
class Note:
    """What is to go from the state folder: names of uploads, and keys of users' folders. No user's name, no path."""

    id: str
    media: tuple[str, ...]
    keys: tuple[str, ...]


class Notes:
    """The notes in ``$DQA_HOME/removals``; a note that can't be read counts as one that names nothing."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "removals"

    def write(self, media: Sequence[str], keys: Sequence[str]) -> Note:
        """Puts a note on the disk, synced; raises ``UnavailableError`` and leaves nothing when the disk is full."""
        note = Note(new_id("rm"), tuple(media), tuple(keys))
        part = self._path(note.id).with_suffix(".part")
        with writing_files("the note of what is to be deleted"):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                with part.open("w", encoding="utf-8") as file:
                    json.dump({"media": note.media, "keys": note.keys}, file)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(self._path(note.id))
                sync_folder(self._folder)
            except OSError:
                for left in (part, self._path(note.id)):
                    left.unlink(missing_ok=True)
                raise
        return note

    def all(self) -> Iterator[Note]:
        """The notes that are there."""
        for path in sorted(self._folder.glob("rm_*.json")) if self._folder.is_dir() else ():
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
                yield Note(path.stem, _names(found["media"]), _names(found["keys"]))
            except (OSError, ValueError, KeyError, TypeError):
                yield Note(path.stem, (), ())

    def drop(self, note: Note) -> None:
        """Forgets a note: everything in it is gone."""
        self._path(note.id).unlink(missing_ok=True)

    def _path(self, note_id: str) -> Path:
        return self._folder / f"{note_id}.json"


def _names(found: Sequence[str]) -> tuple[str, ...]:
    """Plain names only: a note that was tampered with must not reach out of the state folder."""
    return tuple(name for name in found if name not in ("", ".", "..") and Path(name).name == name)


def remove(path: Path) -> list[Path]:
    """Deletes a file or a folder; returns the files that were there. Follows no link."""
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
        return [path]
    gone = sorted(p for p in path.rglob("*") if p.is_symlink() or p.is_file())
    shutil.rmtree(path, ignore_errors=True)
    return gone


def scrub(engine: sa.Engine) -> bool:
    """Makes deleted text unreadable in the database's files; returns whether it is done.

    SQLite's file is rewritten without its free pages and the write-ahead log emptied; that takes time in proportion
    to what is kept, while which nobody else can write. It is not done when somebody keeps reading or writing longer
    than ten seconds, or the disk has no room for it; try again later then. PostgreSQL's tables are rewritten; its own
    log and its copies are whoever's who runs it.
    """
    if engine.dialect.name == "sqlite":
        return _scrub_sqlite(engine)
    with translated(), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM FULL")
    return True


def _scrub_sqlite(engine: sa.Engine) -> bool:
    if not engine.url.database or engine.url.database == ":memory:":
        return True
    try:
        with closing(engine.raw_connection()) as connection:
            cursor = connection.cursor()
            (usual,) = cursor.execute("PRAGMA busy_timeout").fetchone()
            cursor.execute(f"PRAGMA busy_timeout={round(_PATIENCE_S * 1000)}")
            try:
                cursor.execute("VACUUM")
                (busy, *_) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                return not busy
            finally:
                cursor.execute(f"PRAGMA busy_timeout={usual}")
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "disk is full" in str(error):
            return False
        raise explain(str(error)) from error

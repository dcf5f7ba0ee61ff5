"""Uploads: files under ``$DQA_HOME/media`` with generated names, one per content."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dqa.errors import MediaNotFound
from dqa.ids import new_id
from dqa.store import keys, references
from dqa.store.disk import writing_files
from dqa.store.engine import reading, writing
from dqa.store.keys import IdempotencyKey
from dqa.store.tables import evaluations, generations, jobs, media

_STALE_S = 3600.0
"""Age after which a file that no row names is left over from a crash, and not an upload under way."""


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """An upload; ``name`` is what the sender called it, for display only."""

    id: str
    sha256: str
    path: Path
    name: str
    bytes: int


class MediaShelf:
    """The uploads of one store.

    Args:
        engine: the database.
        folder: where the files lie; made when first needed.
    """

    def __init__(self, engine: sa.Engine, folder: Path) -> None:
        self._engine = engine
        self.folder = folder

    def temporary(self) -> Path:
        """A new name in the folder for an upload under way; raises ``UnavailableError`` when the disk is full."""
        with writing_files("the folder of uploads"):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self.folder / f"{new_id('up')}.part"

    def add(
        self, part: Path, sha256: str, suffix: str, name: str, key: IdempotencyKey | None = None
    ) -> tuple[StoredMedia, bool]:
        """Keeps a finished, synced upload under a new name; the same content again gives the first one, and False.

        Raises:
            Conflict: the key came with another content before.
            UnavailableError: the disk is full, or can't be written.
        """
        size = part.stat().st_size
        with writing_files("the upload"), writing(self._engine) as connection:
            keys.recall(connection, key)
            row = connection.execute(sa.select(media).where(media.c.sha256 == sha256)).first()
            if row is not None:
                found = self._stored(row)
                part.replace(found.path)  # the same bytes: heals a file that was lost
            else:
                found = self._insert(connection, part, sha256, suffix, name, size)
            if key is not None and keys.recall(connection, key) is None:
                keys.remember(connection, key, found.id)
        return found, row is None

    def _insert(
        self, connection: sa.Connection, part: Path, sha256: str, suffix: str, name: str, size: int
    ) -> StoredMedia:
        media_id = new_id("md")
        path = self.folder / f"{media_id}{suffix}"
        part.replace(path)
        sync_folder(self.folder)
        values = {"id": media_id, "sha256": sha256, "file": path.name, "name": name[:200], "bytes": size}
        connection.execute(media.insert().values(**values, created=time.time()))
        return StoredMedia(media_id, sha256, path, name[:200], size)

    def get(self, media_id: str) -> StoredMedia:
        """The upload with that id; raises ``MediaNotFound``."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(media).where(media.c.id == media_id)).first()
        if row is None:
            raise MediaNotFound("there is no media with that id", fix="upload it with POST /v1/media")
        return self._stored(row)

    def _stored(self, row: sa.Row[Any]) -> StoredMedia:
        return StoredMedia(row.id, row.sha256, self.folder / row.file, row.name, row.bytes)

    def remove_unused(self, connection: sa.Connection, sha256: str) -> Path | None:
        """Within a transaction: drops the upload if nothing refers to it any more; returns the file to delete after."""
        row = connection.execute(sa.select(media).where(media.c.sha256 == sha256)).first()
        if row is None:
            return None
        judged = sa.select(evaluations.c.id).where(evaluations.c.sha256 == sha256).limit(1)
        asked = sa.select(jobs.c.id).where(jobs.c.media_id == row.id).limit(1)
        made = sa.select(generations.c.id).where(generations.c.media_id == row.id).limit(1)
        if any(connection.scalar(needed) for needed in (judged, asked, made)):
            return None
        if references.is_needed(connection, row.id):
            return None
        connection.execute(media.delete().where(media.c.id == row.id))
        return self.folder / row.file

    def sweep(self) -> int:
        """Deletes what crashes left: files that no row names and that are over an hour old; returns how many."""
        if not self.folder.is_dir():
            return 0
        with reading(self._engine) as connection:
            named = set(connection.scalars(sa.select(media.c.file)))
        before = time.time() - _STALE_S
        left = [p for p in self.folder.iterdir() if p.name not in named and p.is_file() and p.stat().st_mtime < before]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)


def sync_folder(folder: Path) -> None:
    """Makes a rename survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

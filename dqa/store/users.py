"""Everything that is kept of one user: given out whole, or deleted whole."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import sqlalchemy as sa
from pydantic import JsonValue

from dqa.errors import Conflict
from dqa.ids import user_key
from dqa.store import dossier, erase, keys, references
from dqa.store.engine import writing
from dqa.store.erase import Note, Notes
from dqa.store.media import MediaShelf
from dqa.store.selections import NEW, Selection
from dqa.store.tables import (
    evaluations,
    generations,
    idempotency,
    job_events,
    jobs,
    media,
    media_locations,
    metadata,
    refinements,
    selections,
    trainings,
)

PERSONAL_FOLDERS = ("adapters",)
"""Folders of the state folder that hold a folder per user, named by :func:`dqa.ids.user_key`."""

IsGone = Callable[[str], bool]
"""Whether the process of that name has surely ended."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What a deletion took away.

    Attributes:
        counts: deleted rows by table; all tables that hold something of a user are named.
        files: deleted files, relative to the state folder.
        scrubbed: whether the deleted text is out of the database's files as well. If not (somebody read or wrote
            all the while), the service does it within the hour, or the next deletion.
    """

    user: str
    counts: dict[str, int]
    files: tuple[str, ...]
    scrubbed: bool


class Users:
    """The users of one store. Nobody is registered: a user is whoever something is kept of.

    Args:
        engine: the database.
        home: the state folder.
        shelf: the uploads.
    """

    def __init__(self, engine: sa.Engine, home: Path, shelf: MediaShelf) -> None:
        self._engine = engine
        self._home = home
        self._shelf = shelf
        self._notes = Notes(home)

    def export(self, user: str) -> dict[str, JsonValue]:
        """Everything kept of a user as one document; see :meth:`export_json` for its form."""
        return cast("dict[str, JsonValue]", json.loads("".join(self.export_json(user))))

    def export_json(self, user: str) -> Iterator[str]:
        """:meth:`export` as pieces of JSON text, read as they are asked for: memory stays flat.

        The document is ``{"schema": "dqa.user/1", "user", "created", "evaluations", "jobs", "choices", "steps",
        "serving", "style", "trainings", "adapters", "rewards", "refinements",
        "generations", "media"}``: records as they were written, choices as ``dqa choose --import`` takes them, adapters
        and uploads by name and SHA-256.
        """
        return dossier.write(self._engine, user, self._folders(user_key(user)))

    def choices(self, user: str) -> Iterator[Selection]:
        """A user's choices in the order they came, read as they are asked for."""
        return dossier.choices(self._engine, user)

    def delete(self, user: str, is_gone: IsGone = lambda owner: False) -> Removed:
        """Deletes everything kept of a user, in one transaction and then the files; nobody else's row is touched.

        An upload goes when nobody else's evaluation needs it. A second deletion finds nothing, and finishes a first
        one that was killed on its way. Choices that others made on this user's evaluations stay, unresolved.

        Args:
            user: whose.
            is_gone: tells that the runner of a job or training died; its work does not count as under way.

        Raises:
            Conflict: an evaluation, training or generation of the user is under way; cancel it first.
        """
        self.sweep()
        with writing(self._engine) as connection:
            _refuse_while_running(connection, user, is_gone)
            counts, uploads = self._delete_rows(connection, user)
            folders = [user_key(user)] if self._folders(user_key(user)) else []
            changed = bool(folders) or any(counts.values())
            # On the disk before the transaction ends: from here on, whatever dies, somebody finishes.
            note = self._notes.write(uploads, folders) if changed else None
        if note is None:
            return Removed(user, counts, (), scrubbed=True)
        files = self._remove_files(note)
        scrubbed = erase.scrub(self._engine)
        if scrubbed:
            self._notes.drop(note)
        return Removed(user, counts, tuple(p.relative_to(self._home).as_posix() for p in files), scrubbed)

    def sweep(self) -> int:
        """Finishes deletions that were interrupted; returns how many. Cheap when there are none."""
        notes = list(self._notes.all())
        for note in notes:
            self._remove_files(self._without_kept(note))
        if notes and erase.scrub(self._engine):
            for note in notes:
                self._notes.drop(note)
        return len(notes)

    def _delete_rows(self, connection: sa.Connection, user: str) -> tuple[dict[str, int], list[str]]:
        hashes = _hashes(connection, user)
        counts = {"job_events": 0, "idempotency": 0}
        of_user = sa.select(jobs.c.id).where(jobs.c.user == user)
        counts["job_events"] = _count(connection, job_events.delete().where(job_events.c.job.in_(of_user)))
        counts["idempotency"] = _count(connection, idempotency.delete().where(_keys_of(user)))
        for table in reversed(metadata.sorted_tables):  # what refers to a row before the row
            if "user" in table.c:
                counts[table.name] = _count(connection, table.delete().where(table.c.user == user))
        uploads, forgotten = self._drop_media(connection, hashes)
        return {**counts, "media": len(uploads), "media_locations": forgotten}, uploads

    def _drop_media(self, connection: sa.Connection, hashes: set[str]) -> tuple[list[str], int]:
        """Uploads and places that no evaluation or job needs any more; returns the uploads' file names."""
        uploads: list[str] = []
        forgotten = 0
        for sha256 in sorted(hashes):
            file = self._shelf.remove_unused(connection, sha256)
            if file is not None:
                uploads.append(file.name)
                connection.execute(idempotency.delete().where(idempotency.c.resource == file.stem))
            needed = sa.select(evaluations.c.id).where(evaluations.c.sha256 == sha256).limit(1)
            if connection.scalar(needed) is None:
                gone = media_locations.delete().where(media_locations.c.sha256 == sha256)
                forgotten += _count(connection, gone)
        return uploads, forgotten

    def _folders(self, key: str) -> list[Path]:
        return [folder for name in PERSONAL_FOLDERS if (folder := self._home / name / key).is_dir()]

    def _remove_files(self, note: Note) -> list[Path]:
        doomed = [self._shelf.folder / name for name in note.media]
        doomed += [folder for key in note.keys for folder in self._folders(key)]
        return [file for path in doomed for file in erase.remove(path)]

    def _without_kept(self, note: Note) -> Note:
        """The note without what rows still name: its transaction never ended."""
        with writing(self._engine) as connection:  # waits for a deletion that has written its note and goes on
            files = set(connection.scalars(sa.select(media.c.file).where(media.c.file.in_(note.media))))
            users = set(connection.scalars(sa.select(trainings.c.user).distinct())) if note.keys else set[str]()
        kept = {user_key(user) for user in users}
        return Note(
            note.id,
            tuple(name for name in note.media if name not in files),
            tuple(key for key in note.keys if key not in kept),
        )


def _refuse_while_running(connection: sa.Connection, user: str, is_gone: IsGone) -> None:
    query = sa.select(jobs.c.id, jobs.c.owner).where(jobs.c.user == user, jobs.c.status == "running")
    leased = connection.execute(query.where(jobs.c.lease_until > time.time())).all()
    if any(not is_gone(row.owner or "") for row in leased):
        fix = f"cancel it first (DELETE /v1/evaluations/{leased[0].id}), or wait for it"
        raise Conflict("an evaluation of this user is under way", fix=fix)
    query = sa.select(generations.c.id, generations.c.owner).where(generations.c.user == user)
    making = connection.execute(query.where(generations.c.status == "running")).all()
    if any(not is_gone(row.owner or "") for row in making):
        fix = f"cancel it first (DELETE /v1/generations/{making[0].id}), or wait for it"
        raise Conflict("a clip of this user is being generated", fix=fix)
    query = sa.select(trainings.c.id, trainings.c.owner).where(trainings.c.user == user)
    training = connection.execute(query.where(trainings.c.status == "running")).all()
    if any(not is_gone(row.owner or "") for row in training):
        raise Conflict("a training of this user is under way", fix="cancel it first, or wait for it")


def _keys_of(user: str) -> sa.ColumnElement[bool]:
    """Which idempotency keys go: those of what the user made, those of what is gone, and those that hold the name."""
    made, route = idempotency.c.resource, idempotency.c.route
    asked = sa.select(jobs.c.id).where(jobs.c.user == user)
    judged = sa.select(evaluations.c.id).where(evaluations.c.user == user)
    chosen = sa.select(sa.cast(selections.c.seq, sa.String)).where(selections.c.user == user)
    of_choices = (route == "selections") & sa.func.replace(made, NEW, "").in_(chosen)
    # Whose the key of a deleted evaluation was can't be told any more, nor can the key itself tell anything.
    of_jobs = made.startswith("ev_") | made.startswith("cal_")
    orphaned = of_jobs & made.not_in(sa.select(jobs.c.id)) & made.not_in(sa.select(evaluations.c.id))
    named = idempotency.c.key.contains(user, autoescape=True)
    own = (sa.select(table.c.id).where(table.c.user == user) for table in (refinements, generations))
    marked = made.startswith(keys.mark(user))
    by_id = (made.in_(ids) for ids in own)
    return sa.or_(made.in_(asked), made.in_(judged), of_choices, orphaned, named, marked, *by_id)


def _hashes(connection: sa.Connection, user: str) -> set[str]:
    """SHA-256 of every clip the user had judged, asked to have judged or made, or compared others with."""
    judged = sa.select(evaluations.c.sha256).where(evaluations.c.user == user).distinct()
    asked = sa.select(media.c.sha256).join(jobs, jobs.c.media_id == media.c.id).where(jobs.c.user == user).distinct()
    made = sa.select(media.c.sha256).join(generations, generations.c.media_id == media.c.id)
    made = made.where(generations.c.user == user).distinct()
    beside = sa.select(media.c.sha256).where(media.c.id.in_(references.uploads_of(connection, user)))
    return {sha256 for query in (judged, asked, made, beside) for sha256 in connection.scalars(query)}


def _count(connection: sa.Connection, statement: sa.Delete) -> int:
    return connection.execute(statement).rowcount

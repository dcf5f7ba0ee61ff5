"""The store: what every surface keeps and finds again."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dqa.config import Settings
from dqa.errors import Conflict, RecordNotFound, UnavailableError
from dqa.record import EvaluationRecord
from dqa.store import records, references, summaries
from dqa.store.asking import Asking
from dqa.store.engine import create, reading, writing
from dqa.store.generations import Generations
from dqa.store.jobs import ENDED, Jobs
from dqa.store.keys import Answered
from dqa.store.media import MediaShelf
from dqa.store.migrate import migrate
from dqa.store.refinements import Refinements
from dqa.store.selections import Selections
from dqa.store.styles import Styles
from dqa.store.summaries import Wanted
from dqa.store.tables import evaluations, jobs, media, media_locations
from dqa.store.trainings import Trainings
from dqa.store.tuner import KEPT, Tuner
from dqa.store.users import Users


class Store:
    """Evaluations, media, jobs, choices and tastes in one database. Threads may share it; each process opens its own.

    Attributes:
        jobs: evaluations asked of the service.
        media: uploads.
        generations: clips asked of the operator's generator.
        refinements: briefs taken from prompt to verdict until a clip was good enough.
        selections: choices between two evaluations.
        tuner: what was learned from them.
        asking: what to ask a user next, and what they would choose.
        styles: what users say they like and dislike.
        answered: keyed requests that made nothing of their own.
        trainings: of language-model adapters on those choices.
        users: everything kept of one user, to give out or to delete.
    Every method raises :class:`~dqa.errors.UnavailableError` when the database fails.
    """

    def __init__(self, engine: sa.Engine, home: Path, taste_versions: int = KEPT) -> None:
        self._engine = engine
        self.jobs = Jobs(engine)
        self.media = MediaShelf(engine, home / "media")
        self.generations = Generations(engine, self.media)
        self.refinements = Refinements(engine)
        self.selections = Selections(engine)
        self.tuner = Tuner(engine, taste_versions)
        self.asking = Asking(engine, self.tuner)
        self.styles = Styles(engine)
        self.answered = Answered(engine)
        self.trainings = Trainings(engine)
        self.users = Users(engine, home, self.media)

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """Opens the database the settings name, making or upgrading its tables first.

        Raises:
            UnavailableError: it can't be opened, or was made by a newer version.
        """
        try:
            settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise UnavailableError(
                f"the state folder can't be made ({error.strerror})", fix="set DQA_HOME to a writable folder"
            ) from None
        engine = create(settings.database)
        migrate(engine)
        return cls(engine, settings.home, settings.taste_versions)

    def close(self) -> None:
        """Closes the connections."""
        self._engine.dispose()

    def ping(self) -> None:
        """Raises ``UnavailableError`` unless the database answers."""
        with reading(self._engine) as connection:
            connection.execute(sa.select(1))

    def save_record(self, record: EvaluationRecord, media_path: Path) -> None:
        """Keeps a verdict, and where its media lies.

        Raises:
            Conflict: there is a record with that id.
        """
        with writing(self._engine) as connection:
            if records.find(connection, record.id) is not None:
                raise Conflict("there is an evaluation with that id", fix="leave the id out, or delete the first")
            records.insert(connection, record, str(media_path.absolute()))

    def import_record(self, record: EvaluationRecord, user: str | None = None) -> bool:
        """Keeps a verdict that was made elsewhere; returns whether it is new here.

        Args:
            record: the verdict.
            user: who imports it, and whose it is here from now on (but for one that is known already); default the
                user it names. Nobody's file writes into another user's account.

        Raises:
            Conflict: there is another record with that id.
        """
        own = record if user is None else _owned(record, user)
        with writing(self._engine) as connection:
            known = records.find(connection, record.id)
            if known is None:
                records.insert(connection, own, None)
            elif EvaluationRecord.from_json(known) not in (record, own):
                what = "there is another evaluation with the same id"
                raise Conflict(what, fix="records don't change; give the one that was made")
        return known is None

    def get_record(self, record_id: str) -> EvaluationRecord:
        """The record with that id; raises ``RecordNotFound``."""
        return EvaluationRecord.from_json(self.get_record_json(record_id))

    def get_record_json(self, record_id: str) -> str:
        """The record's JSON as it was written; raises ``RecordNotFound``."""
        with reading(self._engine) as connection:
            found = records.find(connection, record_id)
        if found is None:
            raise RecordNotFound("there is no evaluation with that id", fix="check the id")
        return found

    def list_records(
        self, limit: int = 20, *, before: str | None = None, user: str | None = None, profile: str | None = None
    ) -> list[EvaluationRecord]:
        """Records, newest first; ``before`` (an id) goes on where the last page ended."""
        wanted = Wanted(user=user, profile=profile, before=before)
        return [EvaluationRecord.from_json(text) for text in self.list_records_json(limit, wanted)]

    def list_records_json(self, limit: int, wanted: Wanted) -> list[str]:
        """The records that are wanted, newest first, as the JSON that was written."""
        with reading(self._engine) as connection:
            return list(summaries.records(connection, limit, wanted))

    def list_summaries(self, limit: int, wanted: Wanted) -> list[dict[str, Any]]:
        """What a list shows of the same records; see :func:`dqa.store.summaries.page`."""
        with reading(self._engine) as connection:
            return [dict(row) for row in summaries.page(connection, limit, wanted)]

    def count_records(self, wanted: Wanted) -> int:
        """How many records are wanted."""
        with reading(self._engine) as connection:
            return summaries.count(connection, wanted)

    def records_on(self, sha256: str, profile: str) -> list[EvaluationRecord]:
        """The profile's records on media with that content, newest first."""
        with reading(self._engine) as connection:
            found = records.on(connection, sha256, profile)
        return [EvaluationRecord.from_json(text) for text in found]

    def media_hash(self, record_id: str) -> str:
        """SHA-256 of the media that a record judged; raises ``RecordNotFound``."""
        with reading(self._engine) as connection:
            found = records.hash_of(connection, record_id)
        if found is None:
            raise RecordNotFound("there is no evaluation with that id", fix="check the id")
        return found

    def profiles_of(self, record_ids: Collection[str]) -> dict[str, str]:
        """The profiles that judged these records, of those that are there."""
        query = sa.select(evaluations.c.id, evaluations.c.profile).where(evaluations.c.id.in_(record_ids))
        with reading(self._engine) as connection:
            return {row.id: row.profile for row in connection.execute(query)}

    def find_media(self, sha256: str) -> Path | None:
        """A file with that content: an upload, or where one was last seen; None when there is none (any more)."""
        with reading(self._engine) as connection:
            upload = connection.scalar(sa.select(media.c.file).where(media.c.sha256 == sha256))
            seen = connection.scalar(sa.select(media_locations.c.path).where(media_locations.c.sha256 == sha256))
        candidates = [self.media.folder / upload] if upload else []
        candidates += [Path(seen)] if seen else []
        return next((path for path in candidates if path.is_file()), None)

    def delete(self, evaluation_id: str) -> None:
        """Deletes a verdict (or an ended job), and its uploads when nothing else refers to them.

        Raises:
            RecordNotFound: there is neither.
            Conflict: its job still runs; cancel it first.
        """
        with writing(self._engine) as connection:
            job = connection.execute(sa.select(jobs).where(jobs.c.id == evaluation_id)).first()
            if job is not None and job.status not in ENDED:
                raise Conflict("the evaluation is still under way", fix="cancel it first")
            sha256 = records.remove(connection, evaluation_id)
            if job is None and sha256 is None:
                raise RecordNotFound("there is no evaluation with that id", fix="check the id")
            if sha256 is None and job is not None and job.media_id is not None:
                sha256 = connection.scalar(sa.select(media.c.sha256).where(media.c.id == job.media_id))
            beside = None if job is None else references.hash_in(connection, job.request)
            files = [self.media.remove_unused(connection, one) for one in (sha256, beside) if one]
        for file in files:
            if file is not None:
                file.unlink(missing_ok=True)


def _owned(record: EvaluationRecord, user: str) -> EvaluationRecord:
    """The same verdict as that user's."""
    reproduce = record.reproduce.model_copy(update={"user": user})
    return record.model_copy(update={"user": user, "reproduce": reproduce})

"""Evaluations asked of the service, as leased rows: each ends exactly once, whatever dies on the way.

A job goes ``queued -> running -> done | failed | cancelled``. Who runs it holds a lease and renews it; every
write of the runner is bound to its name, so that one who lost the lease can change nothing any more.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import sqlalchemy as sa
from pydantic import JsonValue

from dqa.errors import Busy, MediaNotFound
from dqa.record import EvaluationRecord
from dqa.store import keys, records
from dqa.store.engine import reading, writing
from dqa.store.keys import IdempotencyKey
from dqa.store.tables import job_events, jobs, media

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
EventKind = Literal["queued", "running", "progress", "requeued", "done", "failed", "cancelled"]
Problem = dict[str, JsonValue]
"""A problem+json body, as it will be sent."""

ENDED: tuple[JobState, ...] = ("done", "failed", "cancelled")
MAX_ATTEMPTS = 2
_AGE = sa.func.replace(sa.func.replace(jobs.c.id, "cal_", ""), "ev_", "")
"""Ids sort by time behind their prefix: a calibration waits its turn among evaluations."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """What to evaluate. ``request`` is plain JSON for the worker; ``media_id`` keeps an upload from being deleted."""

    id: str
    user: str
    profile: str
    request: dict[str, JsonValue]
    media_id: str | None = None


@dataclass(frozen=True, slots=True)
class LeasedJob:
    """A job this runner holds now; ``attempts`` counts this one."""

    id: str
    attempts: int
    request: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its row says."""

    id: str
    status: JobState
    created: float
    user: str
    profile: str
    attempts: int
    owner: str | None
    error: Problem | None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job."""

    seq: int
    job: str
    kind: EventKind
    data: dict[str, JsonValue]


class Jobs:
    """The jobs of one store."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, job: NewJob, queue_size: int, key: IdempotencyKey | None = None) -> tuple[str, bool]:
        """Queues a job; returns its id, and whether it is new (a known key gives the job it made before).

        Raises:
            Busy: ``queue_size`` jobs wait already.
            Conflict: the key came with another content before.
            MediaNotFound: the upload is gone.
        """
        with writing(self._engine) as connection:
            known = keys.recall(connection, key)
            if known is not None:
                return known, False
            if _count(connection, "queued") >= queue_size:
                raise Busy(f"{queue_size} evaluations wait already", fix="try again later")
            if job.media_id is not None and not connection.scalar(
                sa.select(media.c.id).where(media.c.id == job.media_id)
            ):
                raise MediaNotFound("there is no media with that id", fix="upload it with POST /v1/media")
            connection.execute(jobs.insert().values(**_row(job)))
            _tell(connection, job.id, "queued", {})
            keys.remember(connection, key, job.id)
        return job.id, True

    def recall(self, key: IdempotencyKey | None) -> str | None:
        """The job that this key made before, or None; raises ``Conflict`` if it came with another content."""
        with reading(self._engine) as connection:
            return keys.recall(connection, key)

    def lease(self, owner: str, lease_s: float) -> LeasedJob | None:
        """Takes the oldest queued job, or None. Two runners never get the same one."""
        queued = sa.select(jobs.c.id).where(jobs.c.status == "queued")
        oldest = queued.order_by(_AGE).limit(1)
        with reading(self._engine) as connection:  # the cheap look: most often there is nothing
            if connection.scalar(oldest) is None:
                return None
        now = time.time()
        take = (
            jobs.update()
            .where(jobs.c.id == oldest.scalar_subquery(), jobs.c.status == "queued")
            .values(status="running", owner=owner, lease_until=now + lease_s, started=now, attempts=jobs.c.attempts + 1)
            .returning(jobs.c.id, jobs.c.attempts, jobs.c.request)
        )
        with writing(self._engine) as connection:
            row = connection.execute(take).first()
            if row is None:
                return None
            _tell(connection, row.id, "running", {"attempt": row.attempts})
            return LeasedJob(row.id, row.attempts, json.loads(row.request))

    def renew(self, job_id: str, owner: str, lease_s: float) -> Literal["held", "cancel", "lost"]:
        """Extends the lease; says whether someone asked to cancel, or the job is no longer this runner's."""
        change = _held(job_id, owner).values(lease_until=time.time() + lease_s).returning(jobs.c.cancel_at)
        with writing(self._engine) as connection:
            row = connection.execute(change).first()
        if row is None:
            return "lost"
        return "held" if row.cancel_at is None else "cancel"

    def progress(self, job_id: str, owner: str, stage: str, share: float) -> None:
        """Tells listeners how far a job is; silent when the job is no longer this runner's."""
        with writing(self._engine) as connection:
            if connection.scalar(sa.select(jobs.c.owner).where(jobs.c.id == job_id)) == owner:
                _tell(connection, job_id, "progress", {"stage": stage, "fraction": share})

    def restart_clock(self, job_id: str, owner: str) -> None:
        """Counts the job's time from now on: it could not begin yet."""
        with writing(self._engine) as connection:
            connection.execute(_held(job_id, owner).values(started=time.time()))

    def complete(self, job_id: str, owner: str, record: EvaluationRecord, media_path: str) -> bool:
        """Saves the record and ends the job, both or neither; False when the job is no longer this runner's."""
        with writing(self._engine) as connection:
            if not _end(connection, job_id, owner, "done"):
                return False
            records.insert(connection, record, media_path)
        return True

    def answer(self, job_id: str, owner: str, report: dict[str, JsonValue]) -> bool:
        """Ends a job that makes a report and no record; False when the job is no longer this runner's."""
        with writing(self._engine) as connection:
            return _end(connection, job_id, owner, "done", report=report)

    def report(self, job_id: str) -> dict[str, JsonValue] | None:
        """What a job answered with :meth:`answer`, or None."""
        query = sa.select(job_events.c.data).where(job_events.c.job == job_id, job_events.c.kind == "done")
        with reading(self._engine) as connection:
            data = connection.scalar(query.order_by(job_events.c.seq.desc()).limit(1))
        return None if data is None else json.loads(data).get("report")

    def fail(self, job_id: str, owner: str, problem: Problem) -> bool:
        """Ends the job with a reason; False when the job is no longer this runner's."""
        with writing(self._engine) as connection:
            return _end(connection, job_id, owner, "failed", problem)

    def cancelled(self, job_id: str, owner: str) -> bool:
        """Ends the job as cancelled; False when the job is no longer this runner's."""
        with writing(self._engine) as connection:
            return _end(connection, job_id, owner, "cancelled")

    def ask_to_cancel(self, job_id: str) -> JobState | None:
        """Cancels a queued job at once, asks the runner of a running one; returns the state before, None if unknown."""
        with writing(self._engine) as connection:
            status = connection.scalar(sa.select(jobs.c.status).where(jobs.c.id == job_id))
            if status == "queued":
                change = jobs.update().where(jobs.c.id == job_id)
                connection.execute(change.values(status="cancelled", ended=time.time()))
                _tell(connection, job_id, "cancelled", {})
            elif status == "running":
                waiting = sa.func.coalesce(jobs.c.cancel_at, time.time())
                connection.execute(jobs.update().where(jobs.c.id == job_id).values(cancel_at=waiting))
        return cast("JobState | None", status)

    def release(self, owner: str, problem: Problem, *, blameless: bool = False) -> list[str]:
        """Takes back what a runner that is gone held: queued again, or failed with ``problem`` after two attempts.

        Args:
            owner: who is gone.
            problem: why a job fails that was lost twice.
            blameless: the runner was stopped on purpose; the attempt does not count.
        """
        with writing(self._engine) as connection:
            rows = connection.execute(sa.select(jobs).where(jobs.c.owner == owner, jobs.c.status == "running")).all()
            for row in rows:
                _take_back(connection, row, problem, blameless)
        return [row.id for row in rows]

    def release_lost(self, is_gone: Callable[[str], bool], problem: Problem) -> list[str]:
        """:meth:`release` for every runner that ``is_gone``, and for every lease that ran out."""
        with reading(self._engine) as connection:
            held = connection.execute(
                sa.select(jobs.c.owner, jobs.c.lease_until).where(jobs.c.status == "running")
            ).all()
        now = time.time()
        gone = {row.owner for row in held if row.lease_until < now or is_gone(row.owner)}
        return [job for owner in sorted(gone) for job in self.release(owner, problem)]

    def overdue(self, owners: Sequence[str], timeout_s: float, grace_s: float) -> list[tuple[str, str, bool]]:
        """Running jobs of ``owners`` that must be stopped by force: (job, owner, whether it was cancelled)."""
        now = time.time()
        late = sa.or_(jobs.c.started < now - timeout_s, jobs.c.cancel_at < now - grace_s)
        query = sa.select(jobs.c.id, jobs.c.owner, jobs.c.cancel_at)
        with reading(self._engine) as connection:
            rows = connection.execute(query.where(jobs.c.status == "running", jobs.c.owner.in_(owners), late)).all()
        return [(row.id, row.owner, row.cancel_at is not None) for row in rows]

    def fail_queued(self, problem: Problem) -> None:
        """Ends every waiting job with a reason: nothing will ever run them."""
        with writing(self._engine) as connection:
            for job_id in connection.scalars(sa.select(jobs.c.id).where(jobs.c.status == "queued")).all():
                change = jobs.update().where(jobs.c.id == job_id)
                connection.execute(change.values(status="failed", ended=time.time(), error=json.dumps(problem)))
                _tell(connection, job_id, "failed", {"error": problem})

    def get(self, job_id: str) -> Job | None:
        """The job with that id, or None."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).first()
        return None if row is None else _job(row)

    def count(self, status: JobState) -> int:
        """How many jobs are in that state."""
        with reading(self._engine) as connection:
            return _count(connection, status)

    def mean_seconds(self) -> float | None:
        """How long the last 20 finished jobs ran, on average; None before the first."""
        spans = sa.select((jobs.c.ended - jobs.c.started).label("s")).where(jobs.c.status == "done")
        last = spans.order_by(jobs.c.id.desc()).limit(20).subquery()
        with reading(self._engine) as connection:
            return connection.scalar(sa.select(sa.func.avg(last.c.s)))

    def last_event(self) -> int:
        """The newest event's number; 0 before the first."""
        with reading(self._engine) as connection:
            return connection.scalar(sa.select(sa.func.max(job_events.c.seq))) or 0

    def events(self, after: int, job_id: str | None = None, limit: int = 500) -> list[Event]:
        """Events after number ``after``, oldest first, of one job or of all."""
        query = sa.select(job_events).where(job_events.c.seq > after).order_by(job_events.c.seq).limit(limit)
        if job_id is not None:
            query = query.where(job_events.c.job == job_id)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return [Event(row.seq, row.job, cast("EventKind", row.kind), json.loads(row.data)) for row in rows]

    def forget_old(self, older_than_s: float) -> None:
        """Drops idempotency keys that are over, and progress of jobs that ended more than ``older_than_s`` ago."""
        ended = sa.select(jobs.c.id).where(jobs.c.ended < time.time() - older_than_s)
        with writing(self._engine) as connection:
            keys.forget_old(connection)
            connection.execute(job_events.delete().where(job_events.c.job.in_(ended), job_events.c.kind == "progress"))


def _row(job: NewJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "created": time.time(),
        "user": job.user,
        "profile": job.profile,
        "status": "queued",
        "request": json.dumps(job.request),
        "media_id": job.media_id,
        "attempts": 0,
    }


def _job(row: sa.Row[Any]) -> Job:
    error = json.loads(row.error) if row.error else None
    return Job(row.id, row.status, row.created, row.user, row.profile, row.attempts, row.owner, error)


def _held(job_id: str, owner: str) -> sa.Update:
    return jobs.update().where(jobs.c.id == job_id, jobs.c.owner == owner, jobs.c.status == "running")


def _end(
    connection: sa.Connection,
    job_id: str,
    owner: str,
    status: JobState,
    problem: Problem | None = None,
    report: dict[str, JsonValue] | None = None,
) -> bool:
    change = _held(job_id, owner).values(
        status=status, ended=time.time(), lease_until=None, error=json.dumps(problem) if problem else None
    )
    row = connection.execute(change.returning(jobs.c.started, jobs.c.ended)).first()
    if row is None:
        return False
    data: dict[str, JsonValue] = {"seconds": row.ended - row.started}
    told = {name: value for name, value in (("error", problem), ("report", report)) if value}
    _tell(connection, job_id, cast("EventKind", status), {**data, **told})
    return True


def _take_back(connection: sa.Connection, row: sa.Row[Any], problem: Problem, blameless: bool) -> None:
    if row.cancel_at is not None:
        _end(connection, row.id, row.owner, "cancelled")
    elif row.attempts >= MAX_ATTEMPTS and not blameless:
        _end(connection, row.id, row.owner, "failed", problem)
    else:
        attempts = row.attempts - 1 if blameless else row.attempts
        again = _held(row.id, row.owner)
        connection.execute(again.values(status="queued", owner=None, lease_until=None, attempts=attempts))
        _tell(connection, row.id, "requeued", {"attempts": attempts})


def _tell(connection: sa.Connection, job_id: str, kind: EventKind, data: dict[str, JsonValue]) -> None:
    connection.execute(job_events.insert().values(job=job_id, kind=kind, data=json.dumps(data), at=time.time()))


def _count(connection: sa.Connection, status: JobState) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(jobs).where(jobs.c.status == status)) or 0

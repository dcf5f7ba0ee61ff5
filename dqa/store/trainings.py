"""Trainings of adapters as rows: one at a time for a user and profile, each ended exactly once, whatever dies.

A training goes ``queued -> running -> done | refused | failed | cancelled``. Whoever runs it holds it under its name,
and every write is bound to that name; when its process is gone, the next one takes it up where its checkpoints are.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import sqlalchemy as sa
from pydantic import JsonValue

from dqa.ids import new_id
from dqa.store import rewards as rewards_of
from dqa.store.choices import Clips, match
from dqa.store.engine import reading, writing
from dqa.store.heads import Head, heads_of
from dqa.store.selections import read
from dqa.store.tables import evaluations, selections, trainings, tuner_heads
from dqa.taste.features import Judged
from dqa.taste.heavy.evidence import RewardEvidence
from dqa.taste.heavy.pairs import Clip, Resolved
from dqa.taste.heavy.rendering import render_clip

TrainingState = Literal["queued", "running", "done", "refused", "failed", "cancelled"]
ACTIVE: tuple[TrainingState, ...] = ("queued", "running")
Facts = dict[str, JsonValue]

MAX_ATTEMPTS = 3
"""A training that took its process down so often is not tried again."""

SCORED = 500
"""Evaluations, the newest, that a new adapter scores besides the clips of the choices."""

_AT_ONCE = 400


@dataclass(frozen=True, slots=True)
class Training:
    """A training as its row says.

    Attributes:
        request: how many pairs it is made from, up to which choice.
        progress: stage, step, of, loss, eval_loss, attempts.
        outcome: how it ended: reason, loss, adapter; None before.
    """

    id: str
    user: str
    profile: str
    status: TrainingState
    request: Facts
    progress: Facts
    outcome: Facts | None
    owner: str | None
    created: float
    started: float | None
    ended: float | None
    cancel_at: float | None

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.status in ACTIVE


class Trainings:
    """The trainings of one store."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._clips = Clips()

    def choices(self, user: str, profile: str, until: int | None = None) -> list[Resolved]:
        """The choices that an adapter may learn from, with their clips as texts, oldest first.

        Args:
            user, profile: whose, and between clips that this profile judged.
            until: only choices up to that place in the log.
        """
        chosen = sa.select(selections).where(selections.c.user == user).order_by(selections.c.seq)
        if until is not None:
            chosen = chosen.where(selections.c.seq <= until)
        with reading(self._engine) as connection:
            log = read(connection, chosen)
            clips = self._clips.load(connection, {clip for s in log for clip in (s.a, s.b)})
            videos = _videos(connection, clips)
            head = heads_of(connection, user).get(profile) or Head(profile, None)
        texts: dict[str, str] = {}
        pairs, named = match(log, clips, {}).pairs.get(profile, []), {each.seq: each for each in log}
        return [
            Resolved(
                meta.seq,
                _clip(named[meta.seq].a, a, videos, texts),
                _clip(named[meta.seq].b, b, videos, texts),
                meta.chosen,
            )
            for a, b, meta in pairs
            if not head.sets_aside(meta.seq)
        ]

    def newest_clips(self, user: str, profile: str, limit: int = SCORED) -> list[Clip]:
        """The user's newest evaluations as texts."""
        query = (
            sa.select(evaluations.c.id)
            .where(evaluations.c.user == user, evaluations.c.profile == profile)
            .order_by(evaluations.c.id.desc())
            .limit(limit)
        )
        with reading(self._engine) as connection:
            clips = self._clips.load(connection, connection.scalars(query).all())
            videos = _videos(connection, clips)
        texts: dict[str, str] = {}
        return [_clip(key, clip.judged, videos, texts) for key, clip in sorted(clips.items())]

    def evidence(self, user: str, profile: str) -> RewardEvidence | None:
        """What the newest adapter's rewards may tell the light tier (:func:`dqa.store.rewards.evidence_of`)."""
        with reading(self._engine) as connection:
            return rewards_of.evidence_of(connection, user, profile)

    def queue(self, user: str, profile: str, request: Facts) -> tuple[Training, bool]:
        """Asks for a training; returns it and whether it is new: while one waits or runs, there is no other."""
        with writing(self._engine) as connection:
            found = _first(connection, user, profile, trainings.c.status.in_(ACTIVE))
            if found is not None:
                return found, False
            row = {"id": new_id("tr"), "user": user, "profile": profile, "status": "queued", "created": time.time()}
            values = {**row, "request": json.dumps(request), "progress": json.dumps({"attempts": 0})}
            connection.execute(trainings.insert().values(**values))
            made = _by_id(connection, str(row["id"]))
        if made is None:
            raise LookupError("a row that was just written")
        return made, True

    def lease(self, owner: str, training_id: str | None = None) -> Training | None:
        """Takes a waiting training, the oldest or that one; None when there is none. Two runners never get the same."""
        waiting = sa.select(trainings.c.id).where(trainings.c.status == "queued").order_by(trainings.c.id).limit(1)
        if training_id is not None:
            waiting = waiting.where(trainings.c.id == training_id)
        with writing(self._engine) as connection:
            found = connection.scalar(waiting)
            before = None if found is None else _by_id(connection, found)
            if before is None:
                return None
            progress = {**before.progress, "attempts": _attempts(before) + 1}
            change = trainings.update().where(trainings.c.id == before.id)
            values = {"status": "running", "owner": owner, "progress": json.dumps(progress)}
            connection.execute(change.values(**values, started=before.started or time.time()))
            return _by_id(connection, before.id)

    def tell(self, training_id: str, owner: str, facts: Facts) -> Literal["held", "cancel", "lost"]:
        """Keeps the progress; says whether someone asked to cancel, or the training is no longer this runner's."""
        with writing(self._engine) as connection:
            now = _held_by(connection, training_id, owner)
            if now is None:
                return "lost"
            if facts:
                told = {**now.progress, **facts}
                connection.execute(_held(training_id, owner).values(progress=json.dumps(told)))
            return "held" if now.cancel_at is None else "cancel"

    def end(
        self,
        training_id: str,
        owner: str,
        status: TrainingState,
        outcome: Facts,
        rewards: tuple[str, Mapping[str, float]] | None = None,
    ) -> bool:
        """Ends it, and keeps the rewards of the adapter it made, all or nothing; False when it is not this runner's.

        Args:
            training_id, owner: which, and by whom.
            status: how it ended.
            outcome: in plain values; of a published adapter with ``adapter``, ``videos`` and ``seqs`` (trained on).
            rewards: the adapter and the rewards it gives, by evaluation.
        """
        with writing(self._engine) as connection:
            now = _held_by(connection, training_id, owner)
            if now is None:
                return False
            values = {"status": status, "outcome": json.dumps(outcome), "ended": time.time()}
            connection.execute(_held(training_id, owner).values(**values))
            if rewards is not None:
                rewards_of.keep(connection, now.user, *rewards)
        return True

    def ask_to_cancel(self, user: str, profile: str) -> Training | None:
        """Cancels the waiting training at once, asks the runner of a running one; None when there is neither."""
        with writing(self._engine) as connection:
            found = _first(connection, user, profile, trainings.c.status.in_(ACTIVE))
            if found is None:
                return None
            change = trainings.update().where(trainings.c.id == found.id)
            if found.status == "queued":
                connection.execute(change.values(status="cancelled", ended=time.time(), outcome=_CANCELLED))
            else:
                connection.execute(change.values(cancel_at=sa.func.coalesce(trainings.c.cancel_at, time.time())))
            return _by_id(connection, found.id)

    def release(self, owner: str, *, blameless: bool = False) -> list[str]:
        """Gives back what a runner held: queued again, or failed after :data:`MAX_ATTEMPTS`.

        Args:
            owner: who is gone, or stops.
            blameless: it was stopped on purpose; the attempt does not count.
        """
        with writing(self._engine) as connection:
            running = sa.select(trainings).where(trainings.c.owner == owner, trainings.c.status == "running")
            rows = [_training(row) for row in connection.execute(running).mappings()]
            for row in rows:
                connection.execute(_held(row.id, owner).values(**_given_back(row, blameless)))
        return [row.id for row in rows]

    def release_lost(self, is_gone: Callable[[str], bool]) -> list[str]:
        """:meth:`release` for every runner that ``is_gone``."""
        query = sa.select(trainings.c.owner).where(trainings.c.status == "running").distinct()
        with reading(self._engine) as connection:
            owners = [owner for owner in connection.scalars(query) if owner is not None]
        return [training for owner in owners if is_gone(owner) for training in self.release(owner)]

    def get(self, training_id: str) -> Training | None:
        """The training with that id, or None."""
        with reading(self._engine) as connection:
            return _by_id(connection, training_id)

    def latest(self, user: str, profile: str, *states: TrainingState) -> Training | None:
        """The user's newest training, or the newest in one of those states."""
        with reading(self._engine) as connection:
            return _first(connection, user, profile, trainings.c.status.in_(states) if states else sa.true())

    def active_ids(self) -> set[str]:
        """Ids of all that wait or run, whoever's."""
        with reading(self._engine) as connection:
            return set(connection.scalars(sa.select(trainings.c.id).where(trainings.c.status.in_(ACTIVE))))

    def candidates(self) -> dict[tuple[str, str], int]:
        """Users and profiles for which a version serves: whose training may be due; and that version."""
        query = sa.select(tuner_heads).where(tuner_heads.c.version.is_not(None)).order_by(tuner_heads.c.updated)
        with reading(self._engine) as connection:
            return {(row.user, row.profile): row.version for row in connection.execute(query)}


_CANCELLED = json.dumps({"reason": "cancelled before it began"})


def _given_back(row: Training, blameless: bool) -> dict[str, Any]:
    if row.cancel_at is not None:
        return {"status": "cancelled", "ended": time.time(), "outcome": json.dumps({"reason": "cancelled"})}
    if _attempts(row) >= MAX_ATTEMPTS and not blameless:
        reason = f"its process ended before it was done, {MAX_ATTEMPTS} times; see the log"
        return {"status": "failed", "ended": time.time(), "outcome": json.dumps({"reason": reason})}
    progress = {**row.progress, "attempts": _attempts(row) - blameless}
    return {"status": "queued", "owner": None, "progress": json.dumps(progress)}


def _attempts(row: Training) -> int:
    attempts = row.progress.get("attempts")
    return attempts if isinstance(attempts, int) else 0


def _clip(key: str, judged: Judged, videos: Mapping[str, str], texts: dict[str, str]) -> Clip:
    if key not in texts:
        texts[key] = render_clip(judged)
    return Clip(id=key, video=videos.get(key, key), brief=judged.prompt, text=texts[key])


def _videos(connection: sa.Connection, ids: Mapping[str, object]) -> dict[str, str]:
    wanted, found = sorted(ids), dict[str, str]()
    for start in range(0, len(wanted), _AT_ONCE):
        query = sa.select(evaluations.c.id, evaluations.c.sha256)
        part = query.where(evaluations.c.id.in_(wanted[start : start + _AT_ONCE]))
        found |= {row.id: row.sha256 for row in connection.execute(part)}
    return found


def _held(training_id: str, owner: str) -> sa.Update:
    return trainings.update().where(
        trainings.c.id == training_id, trainings.c.owner == owner, trainings.c.status == "running"
    )


def _held_by(connection: sa.Connection, training_id: str, owner: str) -> Training | None:
    found = _by_id(connection, training_id)
    return found if found is not None and found.status == "running" and found.owner == owner else None


def _by_id(connection: sa.Connection, training_id: str) -> Training | None:
    row = connection.execute(sa.select(trainings).where(trainings.c.id == training_id)).mappings().first()
    return None if row is None else _training(row)


def _first(connection: sa.Connection, user: str, profile: str, which: sa.ColumnElement[bool]) -> Training | None:
    query = sa.select(trainings).where(trainings.c.user == user, trainings.c.profile == profile, which)
    row = connection.execute(query.order_by(trainings.c.id.desc()).limit(1)).mappings().first()
    return None if row is None else _training(row)


def _training(row: sa.RowMapping) -> Training:
    values = dict(row)
    outcome = values.pop("outcome")
    return Training(
        **{name: value for name, value in values.items() if name not in ("request", "progress")},
        request=cast("Facts", json.loads(values["request"])),
        progress=cast("Facts", json.loads(values["progress"])),
        outcome=None if outcome is None else json.loads(outcome),
    )

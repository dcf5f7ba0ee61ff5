"""What to ask a user next, and what they would choose: the store's evaluations seen through the user's taste."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

import sqlalchemy as sa

from dqa.record import EvaluationRecord
from dqa.store.choices import Clips, Evaluated
from dqa.store.engine import reading
from dqa.store.heads import heads_of
from dqa.store.rewards import evidence_of
from dqa.store.tables import evaluations, selections
from dqa.store.tuner import Tuner
from dqa.taste.ask import Candidate, Pair, best_pairs
from dqa.taste.features import Judged, features
from dqa.taste.learn import learn
from dqa.taste.predict import Prediction, check_comparable, predict
from dqa.taste.taste import Taste

NEWEST = 200
"""Evaluations that are considered, the newest of them; 19,900 pairs."""

MOST = 8
"""Pairs that are offered, for when the best ones can't be shown."""

PairIds = frozenset[str]
"""Two evaluations, in either order."""


class Asking:
    """Questions to the users of one store. Threads may share it.

    Args:
        engine: of the database.
        tuner: knows the tastes.
    """

    def __init__(self, engine: sa.Engine, tuner: Tuner) -> None:
        self._engine = engine
        self._tuner = tuner
        self._clips = Clips()

    def pairs(
        self,
        user: str,
        profile: str,
        *,
        prompt: str | None = None,
        passed_over: Collection[PairIds] = (),
        shared_by: str | None = None,
    ) -> list[Pair]:
        """The pairs of clips whose choice would tell most about the user's taste, the best first; at most :data:`MOST`.

        From the newest :data:`NEWEST` evaluations of that user and profile. Where those hold no pair that was not
        chosen between before, from those of ``shared_by`` (a service's own default user, whose clips everybody may
        see); another user's evaluations are never looked at.

        Args:
            user: whose taste.
            profile: whose scores; clips judged by two profiles are never compared.
            prompt: only clips made from this text.
            passed_over: pairs that the user does not want to be asked about now.
            shared_by: whose evaluations serve when the user's own don't.
        """
        own = self._best(user, user, profile, prompt, passed_over)
        if (own and not own[0].again) or shared_by in (None, user):
            return own
        shared = self._best(user, shared_by or user, profile, prompt, passed_over)
        return shared if shared and (not own or not shared[0].again) else own

    def predict(self, user: str, a: EvaluationRecord, b: EvaluationRecord) -> Prediction:
        """Which of two evaluations the user would choose, by the serving taste for their profile.

        Raises:
            UsageError: they are of two profiles.
        """
        check_comparable(a, b)
        taste = self._tuner.current(user, a.profile)
        one, other = Judged.of(a), Judged.of(b)
        if taste is not None and taste.adapter is not None:
            with reading(self._engine) as connection:
                evidence = evidence_of(connection, user, a.profile)
            if evidence is not None and evidence.adapter == taste.adapter:
                rewards = evidence.for_choice(a.id, b.id)
                one, other = (replace(clip, reward=reward) for clip, reward in zip((one, other), rewards, strict=True))
        return predict(taste, one, other)

    def _best(
        self, user: str, owner: str, profile: str, prompt: str | None, passed_over: Collection[PairIds]
    ) -> list[Pair]:
        taste = self._tuner.current(user, profile)
        usable = taste if taste is not None and taste.usable else learn([], version=0, profile=profile)
        with reading(self._engine) as connection:
            media = _newest(connection, owner, profile)
            known = self._clips.load(connection, media)
            asked = _asked(connection, user, profile) | _media_of(connection, passed_over)
        clips = [_candidate(key, media[key], known[key], usable) for key in media if key in known]
        wanted = [clip for clip in clips if prompt is None or clip.prompt == prompt]
        return best_pairs(usable.posterior(), _once(wanted), asked, MOST)


def _newest(connection: sa.Connection, owner: str, profile: str) -> dict[str, str]:
    """Evaluation -> hash of its media, newest first."""
    table = evaluations.c
    query = sa.select(table.id, table.sha256).where(table.user == owner, table.profile == profile)
    rows = connection.execute(query.order_by(table.id.desc()).limit(NEWEST))
    return {row.id: row.sha256 for row in rows}


def _asked(connection: sa.Connection, user: str, profile: str) -> set[frozenset[str]]:
    """The media of the pairs that the user chose between; what was set aside may be asked again."""
    a, b = evaluations.alias("a"), evaluations.alias("b")
    head = heads_of(connection, user).get(profile)
    query = (
        sa.select(selections.c.seq, a.c.sha256.label("one"), b.c.sha256.label("other"))
        .select_from(selections.join(a, a.c.id == selections.c.a).join(b, b.c.id == selections.c.b))
        .where(selections.c.user == user)
    )
    rows = connection.execute(query)
    return {frozenset((row.one, row.other)) for row in rows if head is None or not head.sets_aside(row.seq)}


def _media_of(connection: sa.Connection, pairs: Collection[PairIds]) -> set[frozenset[str]]:
    wanted = {key for pair in pairs for key in pair}
    if not wanted:
        return set()
    query = sa.select(evaluations.c.id, evaluations.c.sha256).where(evaluations.c.id.in_(wanted))
    known = {row.id: row.sha256 for row in connection.execute(query)}
    return {frozenset(known[key] for key in pair) for pair in pairs if all(key in known for key in pair)}


def _candidate(key: str, media: str, clip: Evaluated, taste: Taste) -> Candidate:
    return Candidate(key, media, clip.judged.prompt, features(clip.judged, taste.style, taste.history))


def _once(clips: Iterable[Candidate]) -> list[Candidate]:
    """The newest evaluation of each clip and prompt."""
    found: dict[tuple[str, str], Candidate] = {}
    for clip in clips:
        found.setdefault((clip.media, clip.prompt), clip)
    return list(found.values())

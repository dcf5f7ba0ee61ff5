"""The log of choices matched with the evaluations it names: what can be learned from, and what can't."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

import sqlalchemy as sa
import structlog

from dqa.record import EvaluationRecord
from dqa.store.selections import Selection
from dqa.store.tables import evaluations
from dqa.taste.choice import OUTCOMES
from dqa.taste.features import Judged
from dqa.taste.resolve import Meta

log = structlog.get_logger(__name__)

UNKNOWN = "a clip has no evaluation here"
ACROSS = "the clips were judged by different profiles"
SAME = "both sides are the same clip, evaluated twice"
DAMAGED = "the stored choice is damaged"

NAMED = 1000
"""Unresolved choices that are named at most, the newest; all are counted."""

_CACHED = 1024
_AT_ONCE = 400
"""Ids in one query: SQLite takes a limited number of parameters."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation as far as a choice goes; ``media`` is the hash of the clip's content."""

    profile: str
    media: str
    judged: Judged


Pair = tuple[Judged, Judged, Meta]


@dataclass
class Matched:
    """The log of one user.

    Attributes:
        pairs: the choices that can be learned from, by profile, in the order they were made.
        unresolved: the others, test_id -> why, oldest first.
    """

    pairs: dict[str, list[Pair]] = field(default_factory=dict[str, list[Pair]])
    unresolved: dict[str, str] = field(default_factory=dict[str, str])

    def named(self) -> list[str]:
        """The test_ids of unresolved choices, the newest :data:`NAMED` of them."""
        return list(self.unresolved)[-NAMED:]

    def reasons(self) -> dict[str, int]:
        """How many choices are unresolved for each reason."""
        return dict(Counter(self.unresolved.values()))


class Clips:
    """Evaluations by id, kept in memory once they were read: a record never changes after it is written.

    Threads may share it. Whether a record is still there is asked of the database every time.
    """

    def __init__(self, size: int = _CACHED) -> None:
        self._size = size
        self._known: OrderedDict[str, Evaluated] = OrderedDict()
        self._lock = Lock()

    def load(self, connection: sa.Connection, ids: Iterable[str]) -> dict[str, Evaluated]:
        """The evaluations among ``ids`` that are there (and can be read)."""
        found: dict[str, Evaluated] = {}
        for part in _parts(ids):
            there = connection.scalars(sa.select(evaluations.c.id).where(evaluations.c.id.in_(part))).all()
            with self._lock:
                known = {key: self._known[key] for key in there if key in self._known}
            found |= known | self._read(connection, [key for key in there if key not in known])
        self._remember(found)
        return found

    def _read(self, connection: sa.Connection, ids: Sequence[str]) -> dict[str, Evaluated]:
        if not ids:
            return {}
        query = sa.select(evaluations.c.id, evaluations.c.record).where(evaluations.c.id.in_(ids))
        read = ((row.id, _evaluated(row.id, row.record)) for row in connection.execute(query))
        return {key: evaluated for key, evaluated in read if evaluated is not None}

    def _remember(self, found: Mapping[str, Evaluated]) -> None:
        with self._lock:
            for key, evaluated in found.items():
                self._known[key] = evaluated
                self._known.move_to_end(key)
            while len(self._known) > self._size:
                self._known.popitem(last=False)


def match(chosen: Sequence[Selection], clips: Mapping[str, Evaluated], rewards: Mapping[str, float]) -> Matched:
    """Each choice with its two evaluations; only what one profile judged can be compared.

    They come in the order they were made, whatever the order they came in: a file may hold the newest first. A clip is
    told by its content, so that evaluating it again makes no other clip of it.

    Args:
        chosen: the choices of one user.
        clips: the evaluations that are there.
        rewards: of the user's adapter, by evaluation; empty without one.
    """
    judged = {key: _rewarded(clip.judged, rewards.get(key)) for key, clip in clips.items()}
    found = Matched()
    for selection in sorted(chosen, key=lambda one: (one.made, one.seq)):
        a, b = clips.get(selection.a), clips.get(selection.b)
        if selection.chosen not in OUTCOMES:
            found.unresolved[selection.test_id] = DAMAGED
        elif a is None or b is None:
            found.unresolved[selection.test_id] = UNKNOWN
        elif a.profile != b.profile:
            found.unresolved[selection.test_id] = ACROSS
        elif a.media == b.media:
            found.unresolved[selection.test_id] = SAME
        else:
            pair = (judged[selection.a], judged[selection.b], _meta(selection, (a.media, b.media)))
            found.pairs.setdefault(a.profile, []).append(pair)
    return found


def _meta(selection: Selection, clips: tuple[str, str]) -> Meta:
    return Meta(
        chosen=selection.chosen,
        clips=clips,
        left=selection.left,
        why=selection.why,
        source=selection.source,
        received=selection.received,
        seq=selection.seq,
    )


def _rewarded(judged: Judged, reward: float | None) -> Judged:
    return judged if reward is None else replace(judged, reward=reward)


def _evaluated(key: str, text: str) -> Evaluated | None:
    try:
        record = EvaluationRecord.from_json(text)
    except ValueError:
        log.warning("a stored evaluation is damaged; its choices can't be learned from", evaluation=key)
        return None
    return Evaluated(record.profile, record.media.sha256, Judged.of(record))


def _parts(ids: Iterable[str]) -> Iterator[list[str]]:
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), _AT_ONCE):
        yield wanted[start : start + _AT_ONCE]

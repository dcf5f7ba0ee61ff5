"""A file of choices into the store: what can be used is kept, what can't is told with its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dqa.errors import DQAError, UsageError
from dqa.exchange.choice import Clip, ToldChoice
from dqa.exchange.reading import Told, read_choices
from dqa.exchange.records import read_record
from dqa.record import EvaluationRecord
from dqa.store import Store
from dqa.store.names import Names
from dqa.store.selections import Selection

_LOOKED_BACK = 5000
"""Evaluations that a clip's name is looked up in."""

_AT_ONCE = 200
"""Choices in one transaction."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A choice that is in the store now; ``new`` unless it was before."""

    place: str
    selection: Selection
    new: bool


@dataclass(frozen=True, slots=True)
class _Ready:
    place: str
    selection: Selection


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that can't be used, and why."""

    place: str
    error: DQAError


def import_choices(store: Store, path: Path, user: str) -> Iterator[Kept | Refused]:
    """Keeps the choices of a file one after the other, each ``test_id`` of a user once.

    A record in the file is kept as well, as the user's whose choice it is, unless it is known; it never replaces one.
    The place of its media on the machine it comes from is not believed: nothing will be opened there.

    Args:
        store: where to keep them.
        path: the file.
        user: whose choices they are, where the file does not say.

    Raises:
        InputError: the file can't be read.
        UnavailableError: the store fails.
    """
    importer = _Importer(store)
    told = read_choices(path)
    while batch := [importer.prepare(one, user) for one in islice(told, _AT_ONCE)]:
        yield from importer.keep(batch)


class _Importer:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._names: dict[str, Names] = {}

    def prepare(self, told: Told, user: str) -> _Ready | Refused:
        """A choice with its clips found, and their records kept."""
        if isinstance(told.choice, DQAError):
            return Refused(told.place, told.choice)
        try:
            return _Ready(told.place, self._found(told.choice, told.choice.user or user))
        except DQAError as error:
            if error.status >= 500:  # the store itself: no later entry would fare better
                raise
            return Refused(told.place, error)

    def keep(self, batch: Sequence[_Ready | Refused]) -> Iterator[Kept | Refused]:
        """Keeps what is ready, in one transaction: a write that survives a power cut takes its time."""
        done = iter(self._store.selections.add_all([one.selection for one in batch if isinstance(one, _Ready)]))
        for one in batch:
            if isinstance(one, Refused):
                yield one
                continue
            result = next(done)
            yield Refused(one.place, result) if isinstance(result, DQAError) else Kept(one.place, *result)

    def _found(self, choice: ToldChoice, user: str) -> Selection:
        found = [self._find(clip, user) for clip in (choice.a, choice.b)]
        a, b = (side.id if isinstance(side, EvaluationRecord) else side for side in found)
        if a == b:
            raise UsageError("both sides are the same clip", fix="choose between two evaluations")
        for record in found:
            if isinstance(record, EvaluationRecord):
                self._store.import_record(record, user)
        return Selection(
            user, choice.test_id, a, b, choice.chosen, "file", choice.timestamp, left=choice.left, why=choice.why
        )

    def _find(self, clip: Clip, user: str) -> str | EvaluationRecord:
        """A record as it stands in the file, or the id of one that is here."""
        if isinstance(clip, dict):
            return read_record(clip)
        if user not in self._names:
            self._names[user] = Names(self._store, user, _LOOKED_BACK)
        return self._names[user].find(clip)

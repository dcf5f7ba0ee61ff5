"""Choices from a memory block into the store: each test once, whatever is imported again or at the same time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from dqa.agenthost.selections import Problem
from dqa.agenthost.selections import Selection as Choice
from dqa.errors import Conflict
from dqa.store import Store
from dqa.store.selections import Selection
from dqa.store.summaries import Wanted

_LOOKED_BACK = 500
"""Evaluations that a block's own name for a clip is looked up in, newest first."""


@dataclass
class Import:
    """What came of it."""

    imported: int = 0
    already_known: int = 0
    problems: list[Problem] = field(default_factory=list[Problem])


def import_choices(store: Store, user: str, choices: Sequence[Choice]) -> Import:
    """Adds the choices of one user.

    A block may name a clip by the media that was evaluated instead of the evaluation; then the newest evaluation of
    it is meant. One that is unknown is kept as it is, and named when a step can't use it.
    """
    done = Import()
    known = {kept.test_id: kept for kept in store.selections.page(user, 1_000_000)}
    new = [choice for choice in choices if choice.test_id not in known]
    names = _evaluations_by_media(store) if any(not _is_id(c.a) or not _is_id(c.b) for c in choices) else {}
    for choice in choices:
        kept = known.get(choice.test_id)
        if kept is not None and _differs(kept, choice, names):
            done.problems.append(_otherwise(choice))
    for choice in new:
        _add(store, user, choice, names, done)
    done.already_known += len(choices) - len(new)
    return done


def _add(store: Store, user: str, choice: Choice, names: dict[str, str], done: Import) -> None:
    a, b = names.get(choice.a, choice.a), names.get(choice.b, choice.b)
    if a == b:  # two names of one clip
        a, b = choice.a, choice.b
    try:
        _, fresh = store.selections.add(Selection(user, choice.test_id, a, b, choice.chosen, source="block"))
    except Conflict:  # another import was quicker
        fresh = False
    done.imported += fresh
    done.already_known += not fresh


def _differs(kept: Selection, choice: Choice, names: dict[str, str]) -> bool:
    """Whether the block now says the opposite of what was kept. Names may have come to mean newer evaluations."""
    sides = {"a": choice.a, "b": choice.b}
    loser = {"a": choice.b, "b": choice.a}.get(choice.chosen)
    winner = {"a": kept.a, "b": kept.b}.get(kept.chosen)
    if (winner is None) != (choice.chosen not in sides):
        return True
    return winner is not None and winner in (loser, names.get(loser or ""))


def _otherwise(choice: Choice) -> Problem:
    error = f"test {choice.test_id} was imported before with another choice"
    return Problem(index=-1, error=error, fix="use a new test_id for a new choice; the first one counts")


def _evaluations_by_media(store: Store) -> dict[str, str]:
    """What a clip may be called -> the id of its newest evaluation."""
    names: dict[str, str] = {}
    for text in store.list_records_json(_LOOKED_BACK, Wanted()):
        record = json.loads(text)
        for name in _names(str(record["reproduce"]["media"]), str(record["media"]["sha256"])):
            names.setdefault(name, record["id"])
    return names


def _names(media: str, sha256: str) -> Iterator[str]:
    path = PurePath(media)
    yield from (media, path.name, path.stem, sha256)


def _is_id(name: str) -> bool:
    return name.startswith("ev_")

"""Choices from a memory block into the store: each test once, whatever is imported again or at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dqa.agenthost.selections import Problem
from dqa.agenthost.selections import Selection as Choice
from dqa.errors import Conflict, UsageError
from dqa.store import Store
from dqa.store.names import Names
from dqa.store.selections import Selection


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
    names = Names(store, user)
    for choice in choices:
        kept = known.get(choice.test_id)
        if kept is not None and _differs(kept, choice, names):
            done.problems.append(_otherwise(choice))
    for choice in new:
        _add(store, user, choice, names, done)
    done.already_known += len(choices) - len(new)
    return done


def _add(store: Store, user: str, choice: Choice, names: Names, done: Import) -> None:
    a, b = names.by_media(choice.a) or choice.a, names.by_media(choice.b) or choice.b
    if a == b:  # two names of one clip
        a, b = choice.a, choice.b
    try:
        _, fresh = store.selections.add(
            Selection(user, choice.test_id, a, b, choice.chosen, "block", choice.timestamp or "")
        )
    except UsageError as error:
        done.problems.append(Problem(index=-1, error=f"test {choice.test_id}: {error.what}", fix=error.fix))
        return
    except Conflict:  # another import was quicker
        fresh = False
    done.imported += fresh
    done.already_known += not fresh


def _differs(kept: Selection, choice: Choice, names: Names) -> bool:
    """Whether the block now says the opposite of what was kept. Names may have come to mean newer evaluations."""
    sides = {"a": choice.a, "b": choice.b}
    loser = {"a": choice.b, "b": choice.a}.get(choice.chosen)
    winner = {"a": kept.a, "b": kept.b}.get(kept.chosen)
    if (winner is None) != (choice.chosen not in sides):
        return True
    return winner is not None and winner in (loser, names.by_media(loser or ""))


def _otherwise(choice: Choice) -> Problem:
    error = f"test {choice.test_id} was imported before with another choice"
    return Problem(index=-1, error=error, fix="use a new test_id for a new choice; the first one counts")

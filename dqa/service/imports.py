"""Choices from a memory block into the store: each test once, whatever is imported again or at the same time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from dqa.agenthost.selections import Problem
from dqa.agenthost.selections import Selection as Choice
from dqa.service.limits import HttpLimits
from dqa.store import Store
from dqa.store.names import Names
from dqa.store.selections import Intake, Selection

MOST = HttpLimits().imports_per_minute
_NAME = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}")
_NAMED = 200
"""Characters of the names of tests that are left over."""


@dataclass
class Import:
    """What came of it; ``left`` new choices were too many, and some of them are taken in ``retry_after_s``."""

    imported: int = 0
    already_known: int = 0
    problems: list[Problem] = field(default_factory=list[Problem])
    left: int = 0
    retry_after_s: int = 0


def import_choices(store: Store, user: str, choices: Sequence[Choice], most: int = MOST) -> Import:
    """Adds the choices of one user in one transaction, up to ``most`` new ones in any minute; names the others.

    A block may name a clip by the media that was evaluated instead of the evaluation; then the newest evaluation of
    it is meant. One that is unknown is kept as it is, and named when a step can't use it.
    """
    names = Names(store, user)
    fit = [choice for choice in choices if _fits(choice)]
    taken = store.selections.take(user, [_selection(user, choice, names) for choice in fit], most)
    known = [(kept, choice) for choice in fit if (kept := taken.known.get(choice.test_id)) is not None]
    problems = [_misnamed(choice) for choice in choices if not _fits(choice)]
    problems += [_of_one_clip(selection) for selection in taken.refused]
    problems += [_otherwise(choice) for kept, choice in known if _differs(kept, choice, names)]
    if taken.left:
        problems.append(_too_many(taken, most))
    return Import(taken.new, len(known), problems, len(taken.left), taken.retry_after_s)


def _fits(choice: Choice) -> bool:
    """Whether its names are such as ``POST /v1/selections`` takes."""
    return all(_NAME.fullmatch(name) for name in (choice.test_id, choice.a, choice.b))


def _selection(user: str, choice: Choice, names: Names) -> Selection:
    a, b = names.by_media(choice.a) or choice.a, names.by_media(choice.b) or choice.b
    if a == b:  # two names of one clip
        a, b = choice.a, choice.b
    return Selection(user, choice.test_id, a, b, choice.chosen, "block", choice.timestamp or "")


def _differs(kept: Selection, choice: Choice, names: Names) -> bool:
    """Whether the block now says the opposite of what was kept. Names may have come to mean newer evaluations."""
    sides = {"a": choice.a, "b": choice.b}
    loser = {"a": choice.b, "b": choice.a}.get(choice.chosen)
    winner = {"a": kept.a, "b": kept.b}.get(kept.chosen)
    if (winner is None) != (choice.chosen not in sides):
        return True
    return winner is not None and winner in (loser, names.by_media(loser or ""))


def _of_one_clip(selection: Selection) -> Problem:
    error = f"test {selection.test_id}: both sides are the same clip, evaluated twice"
    return Problem(index=-1, error=error, fix="choose between two clips of different content")


def _otherwise(choice: Choice) -> Problem:
    error = f"test {choice.test_id} was imported before with another choice"
    return Problem(index=-1, error=error, fix="use a new test_id for a new choice; the first one counts")


def _misnamed(choice: Choice) -> Problem:
    error = f"the test {choice.test_id[:80]!a} or a clip of it has a name that is too long or no plain text"
    return Problem(index=-1, error=error, fix="give names of at most 200 characters")


def _too_many(taken: Intake, most: int) -> Problem:
    count = len(taken.left)
    error = f"{count} new {'choice was' if count == 1 else 'choices were'} not taken: at most {most} are in a minute"
    fix = f"send the block again in {taken.retry_after_s} s, under no or a new Idempotency-Key; what is known is passed"
    return Problem(
        index=-1, error=error, fix=f"{fix} over", entry=", ".join(one.test_id for one in taken.left)[:_NAMED]
    )

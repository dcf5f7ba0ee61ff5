"""Whether a user's choices follow the side on which a clip was shown, rather than the clip."""

from __future__ import annotations

from collections.abc import Iterable

from dqa.taste.choice import Choice
from dqa.taste.taste import Position
from dqa.taste.wilson import wilson

ENOUGH = 20
"""Choices with a known side below which no bias is claimed."""


def check(choices: Iterable[Choice]) -> Position | None:
    """How often the clip on the left was chosen, of the decided choices whose sides are known; None without any.

    Sides are random, so a share other than one half means that the side itself decides. ``biased`` says that the
    90 % interval of the share excludes 0.5, of at least :data:`ENOUGH` choices.
    """
    decided = [choice for choice in choices if choice.left is not None and choice.chosen != "tie"]
    if not decided:
        return None
    left, of = sum(choice.chosen == choice.left for choice in decided), len(decided)
    low, high = wilson(left, of)
    return Position(left=left, of=of, low=low, high=high, biased=of >= ENOUGH and not low <= 0.5 <= high)

"""Position bias: seen where there is one, and seldom where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from dqa.taste.choice import Choice, Outcome, Side
from dqa.taste.features import NAMES
from dqa.taste.position import ENOUGH, check

CLIP = np.zeros(len(NAMES))


def choices(*sides: tuple[Outcome, Side | None]) -> list[Choice]:
    return [Choice(CLIP, CLIP, chosen, left=left) for chosen, left in sides]


def test_ties_and_unknown_sides_do_not_count() -> None:
    assert check([]) is None
    assert check(choices(("tie", "a"), ("a", None))) is None
    found = check(choices(("a", "a"), ("b", "a"), ("b", "b"), ("tie", "b"), ("a", None)))
    assert found is not None
    assert (found.left, found.of, found.biased) == (2, 3, False)


@pytest.mark.parametrize(("chosen", "left"), [("a", 20), ("b", 0)])
def test_a_side_that_always_wins_is_a_bias_once_there_are_enough(chosen: Outcome, left: int) -> None:
    always = choices(*[(chosen, "a")] * ENOUGH)
    assert (found := check(always)) is not None
    assert (found.left, found.of, found.biased) == (left, ENOUGH, True)
    assert (fewer := check(always[1:])) is not None
    assert not fewer.biased


def test_who_looks_at_the_clips_is_rarely_called_biased() -> None:
    rng = np.random.default_rng(0)
    flagged = 0
    for _ in range(200):
        sides = [("a" if rng.random() < 0.5 else "b", "a" if rng.random() < 0.5 else "b") for _ in range(60)]
        found = check(Choice(CLIP, CLIP, chosen, left=left) for chosen, left in sides)
        flagged += found is not None and found.biased
    assert flagged / 200 < 0.16  # 10 % is what a 90 % interval promises; 3 standard errors are 6 %

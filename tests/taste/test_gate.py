"""What may replace the serving taste."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dqa.taste.gate import MIN_PAIRS, gate
from dqa.taste.prior import DEFAULT
from dqa.taste.recipe import recipe
from tests.taste.simulated import accuracy, made, person, votes


def test_few_choices_and_a_first_version_are_promoted_without_a_comparison() -> None:
    for candidate, serving in ((made(0, MIN_PAIRS - 1), made(0, 10)), (made(0, 60), [])):
        decided = gate(candidate, serving)
        assert decided.promoted
        assert decided.reason == "too few choices to compare: promoted"
        assert decided.candidate_loss is None


def test_normal_growth_is_hardly_ever_rejected() -> None:
    steps = [(20, 30), (30, 31), (40, 60), (60, 61), (100, 125)]
    users = [made(k, 125) for k in range(8)]
    decided = [gate(choices[:b], choices[:a]) for choices in users for a, b in steps]
    assert sum(not d.promoted for d in decided) <= 2
    assert all(d.pairs == 0 or (d.candidate_loss and d.serving_loss) for d in decided if d.promoted)


def test_a_flood_of_random_votes_is_rejected_or_harmless() -> None:
    """150 random votes on 60 choices, 12 users: almost all are rejected, and what passes costs little."""
    lost, promoted = [], 0
    for k in range(12):
        good = made(k, 60)
        flooded = [*good, *votes(k, 150)]
        passed = gate(flooded, good).promoted
        before, after = (accuracy(recipe(c, DEFAULT).fitted().without_last(1), k) for c in (good, flooded))
        promoted += passed
        lost.append(before - after if passed else 0.0)
    assert promoted <= 2
    assert np.mean(lost) < 0.02


def test_a_change_of_taste_is_let_through_once_it_can_be_predicted() -> None:
    passed = [gate([*made(k, 60), *made(k, 120, -person(k), first=60)], made(k, 60)).promoted for k in range(8)]
    assert sum(passed) >= 6


def test_what_is_not_finite_is_rejected() -> None:
    good = made(0, 60)
    broken = replace(good[-1], a=np.full_like(good[-1].a, np.inf), seq=61)
    decided = gate([*good, broken], good)
    assert not decided.promoted
    assert "not finite" in decided.reason


def test_choices_that_were_set_aside_test_nothing() -> None:
    good = made(0, 60)
    decided = gate(good[:40], good)
    assert decided.pairs == 40


@pytest.mark.parametrize("known_by", ["seq", "object"])
def test_a_choice_is_known_by_its_place_or_itself(known_by: str) -> None:
    good, more = made(2, 60), votes(2, 150)
    if known_by == "object":
        good, more = [[replace(c, seq=0) for c in each] for each in (good, more)]
    serving = [replace(c) for c in good] if known_by == "seq" else good
    first, again = gate([*good, *more], serving), gate([*made(2, 60), *votes(2, 150)], made(2, 60))
    assert (first.promoted, first.candidate_loss) == (again.promoted, pytest.approx(again.candidate_loss))


def test_the_same_choices_decide_the_same() -> None:
    assert gate(made(1, 80), made(1, 60)) == gate(made(1, 80), made(1, 60))

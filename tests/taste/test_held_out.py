"""Figures from choices that the model has not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.taste.choice import Choice
from dqa.taste.features import NAMES
from dqa.taste.held_out import MIN_PAIRS, calibration_error, curve, folds, held_out
from dqa.taste.prior import DEFAULT
from dqa.taste.recipe import recipe
from tests.taste.simulated import accuracy, made

ZEROS = np.zeros(len(NAMES))
NAMED = st.sampled_from(["", "p", "q", "r", "s", "t", "u", "v"])


@given(st.lists(st.tuples(NAMED, NAMED, NAMED, NAMED), max_size=30))
def test_nothing_straddles_a_fold(things: list[tuple[str, str, str, str]]) -> None:
    choices = [Choice(ZEROS, ZEROS, "a", clips=(a, b), prompts=(p, q.upper())) for a, b, p, q in things]
    fold = folds(choices)
    if fold is None:
        return
    assert len(set(fold)) >= 2
    seen: dict[tuple[str, str], int] = {}
    for choice, number in zip(choices, fold, strict=True):
        for kind, each in (("clip", choice.clips), ("prompt", choice.prompts)):
            for name in filter(None, each):
                assert seen.setdefault((kind, name.casefold()), number) == number


def test_one_prompt_for_everything_leaves_nothing_to_hold_out() -> None:
    choices = [replace(c, prompts=("the same", "the same")) for c in made(0, 40)]
    assert folds(choices) is None
    assert held_out(recipe(choices, DEFAULT), None) is None


def test_the_figures_agree_with_what_new_choices_show() -> None:
    """Over ten users, held-out accuracy is that of new pairs, less the slips of one in ten."""
    shown, true = [], []
    for k in range(10):
        choices = made(k, 150)
        settled = recipe(choices, DEFAULT)
        figures = held_out(settled, folds(choices))
        assert figures is not None
        assert figures.pairs == 150
        assert 0 <= figures.brier <= 0.3
        shown.append(figures.accuracy)
        true.append(0.9 * (a := accuracy(settled.fitted().without_last(1), k)) + 0.1 * (1 - a))
    assert np.mean(shown) == pytest.approx(np.mean(true), abs=0.04)


def test_votes_at_random_show_no_accuracy() -> None:
    rng = np.random.default_rng(3)
    choices = [replace(c, chosen="a" if rng.random() < 0.5 else "b") for c in made(1, 300)]
    figures = held_out(recipe(choices, DEFAULT), folds(choices))
    assert figures is not None
    assert figures.accuracy == pytest.approx(0.5, abs=0.08)


def test_few_choices_and_ties_have_no_figures() -> None:
    choices = made(0, MIN_PAIRS - 1)
    assert held_out(recipe(choices, DEFAULT), folds(choices)) is None
    ties = [replace(c, chosen="tie") for c in made(0, 40)]
    assert held_out(recipe(ties, DEFAULT), folds(ties)) is None
    assert curve(recipe(ties, DEFAULT)) == ()


def test_the_curve_rises_and_its_first_point_is_the_prior() -> None:
    points = [curve(recipe(made(k, 300), DEFAULT)) for k in range(6)]
    assert all(len(each) <= 20 and each[-1].choices == 300 for each in points)
    early, late = (np.mean([p.accuracy for each in points for p in each[part]]) for part in (slice(3), slice(-6, None)))
    assert late > early + 0.05
    assert sum(p.pairs for p in points[0]) == 300


def test_calibration_error_by_hand() -> None:
    p, y = np.array([0.75, 0.75, 0.75, 0.75]), np.array([1.0, 1.0, 1.0, 0.0])
    assert calibration_error(p, y, np.ones(4)) == pytest.approx(0)
    assert calibration_error(p, np.ones(4), np.ones(4)) == pytest.approx(0.25)
    assert calibration_error(1 - p, np.zeros(4), np.ones(4)) == pytest.approx(0.25)

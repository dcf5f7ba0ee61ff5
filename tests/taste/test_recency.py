"""Forgetting: only where it predicts better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.taste_world import changed
from dqa.taste.prior import DEFAULT
from dqa.taste.recency import HALF_LIVES, recency
from dqa.taste.recipe import recipe
from tests.taste.simulated import COMMON, accuracy, made, person


def test_a_choice_counts_half_after_as_many_others() -> None:
    weights = recency(np.ones(101), 50.0)
    assert weights[-1] == pytest.approx(1)
    assert weights[50] == pytest.approx(0.5)
    assert weights[0] == pytest.approx(0.25)
    assert recency(np.ones(101), None) == pytest.approx(1)


def test_repeats_age_the_others_no_more_than_they_count() -> None:
    assert recency(np.array([1.0, *[0.01] * 100]), 1.0)[0] == pytest.approx(0.5)


def test_without_a_change_nothing_is_forgotten() -> None:
    found = [recipe(made(k, 250), DEFAULT).half_life for k in range(8)]
    assert found.count(None) >= 7


def test_a_change_of_taste_shortens_the_memory_and_is_followed() -> None:
    shorter, gain = 0, []
    for k in range(8):
        new = changed(np.random.default_rng([9, k]), COMMON, -person(k))
        choices = [*made(k, 150), *made(k, 60, new, first=150)]
        settled = recipe(choices, DEFAULT)
        assert settled.half_life in HALF_LIVES
        shorter += settled.half_life is not None
        unforgetting = replace(settled, half_life=None)
        gain.append(accuracy(settled.fitted().without_last(1), k, new))
        gain[-1] -= accuracy(unforgetting.fitted().without_last(1), k, new)
    assert shorter >= 6
    assert np.mean(gain) > 0.05


def test_too_few_choices_forget_nothing() -> None:
    assert recipe(made(0, 49), DEFAULT).half_life is None

"""The prior: the product's own, and what other users teach."""

from __future__ import annotations

import numpy as np
import pytest

from dqa.taste.features import GROUPS, INDEX
from dqa.taste.learn import learn
from dqa.taste.prior import DEFAULT, MIN_USERS, members, population
from dqa.taste.recipe import recipe
from dqa.taste.taste import Taste
from tests.taste.simulated import COMMON, accuracy, made


@pytest.fixture(scope="module")
def tastes() -> list[Taste]:
    return [learn(made(100 + k, 60 + 5 * k), 1) for k in range(15)]


def test_the_default_likes_what_scores_high_and_knows_nothing_of_looks() -> None:
    assert (DEFAULT.mean[members("scores")] > 0).all()
    assert DEFAULT.mean[INDEX["style:likes"]] > 0 > DEFAULT.mean[INDEX["style:dislikes"]]
    assert DEFAULT.mean[INDEX["history:success"]] > 0
    assert (DEFAULT.mean[[*members("look"), *members("prompt"), *members("embedding")]] == 0).all()
    assert DEFAULT.users == 0


def test_two_others_make_no_population_and_empty_tastes_count_for_nobody(tastes: list[Taste]) -> None:
    assert population(tastes[: MIN_USERS - 1]) is DEFAULT
    assert population([*tastes[:2], learn([], 1), learn([], 1)]) is DEFAULT
    assert population(tastes[:MIN_USERS]).users == MIN_USERS


def test_it_finds_what_tastes_have_in_common(tastes: list[Taste]) -> None:
    found = population(tastes)
    scores = members("scores")
    assert np.corrcoef(found.mean[scores], COMMON[scores])[0, 1] > 0.5
    assert np.linalg.norm(found.mean - COMMON) < 0.9 * np.linalg.norm(DEFAULT.mean - COMMON)
    for group in GROUPS:
        assert np.ptp(found.precision[members(group)]) == 0
    new = [(recipe(made(k, 10), p).fitted().without_last(1), k) for k in range(10) for p in (found, DEFAULT)]
    right = np.array([accuracy(*each) for each in new]).reshape(-1, 2)
    assert right[:, 0].mean() > right[:, 1].mean()


def test_order_does_not_matter(tastes: list[Taste]) -> None:
    one, other = population(tastes), population(tastes[::-1])
    assert one.mean.tolist() == other.mean.tolist()
    assert one.precision.tolist() == other.precision.tolist()


def test_one_user_with_a_thousand_opposite_choices_barely_moves_it(tastes: list[Taste]) -> None:
    """Sixteen users, one of them a flood of the opposite, five times as strong: others lose at most a point."""
    flood = learn(made(500, 1000, -5 * COMMON), 1)
    before, after = population(tastes), population([*tastes, flood])
    assert np.abs(after.mean - before.mean).max() < 0.16
    assert np.linalg.norm(after.mean - before.mean) < 0.1 * np.linalg.norm(np.array(flood.mean) - before.mean)
    for n in (0, 20):
        right = [
            accuracy(recipe(made(k, n), p).fitted().without_last(1), k) for k in range(10) for p in (before, after)
        ]
        assert np.mean(right[::2]) - np.mean(right[1::2]) < 0.01


def test_the_prior_a_taste_was_made_with_is_taken_out_again(tastes: list[Taste]) -> None:
    """What users teach is what they chose: refitting them from another prior teaches about the same."""
    believed = population(tastes)
    again = [learn(made(100 + k, 60 + 5 * k), 1, population=believed) for k in range(15)]
    assert np.abs(population(again).mean - believed.mean).max() < 0.08

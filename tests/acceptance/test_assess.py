"""Fitting on known raters: the truth is found, few ratings move little, and what proves nothing is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqa.acceptance.assess import Rated, assess, held_out
from dqa.acceptance.beta import LEAST, Beta, drawn_in, fit
from dqa.acceptance.curve import Curve
from dqa.acceptance.figures import concordances
from tests.acceptance.world import Array, rated, strict

GRID = np.linspace(0.25, 0.9, 40)


def error(beta: Beta | None) -> float:
    assert beta is not None
    return float(np.abs(beta(GRID) - strict(GRID)).mean())


def test_many_ratings_find_the_truth_and_are_taken() -> None:
    found = assess(rated(1500))
    assert found.refused == ""
    assert error(found.beta) < 0.05 < float(np.abs(GRID - strict(GRID)).mean())
    loss = found.figures["log_loss"]
    assert loss.after < loss.before
    assert 0 < loss.low <= loss.before - loss.after <= loss.high
    assert found.figures["ece"].after < found.figures["ece"].before


def test_the_error_shrinks_with_the_number_of_ratings() -> None:
    errors = [np.mean([error(fit(r.scores, r.accepted)) for r in _series(n)]) for n in (10, 60, 600)]
    assert errors[0] > errors[1] > errors[2]


def _series(n: int) -> list[Rated]:
    return [rated(n, seed=seed) for seed in range(12)]


def test_raters_of_the_family_itself_are_recovered() -> None:
    truth = Beta(1.6, 0.7, -0.4)
    data = rated(6000, truth)
    found = fit(data.scores, data.accepted)
    assert np.abs(found(GRID) - truth(GRID)).max() < 0.05


def test_without_ratings_the_map_is_the_identity() -> None:
    found = fit(np.array([]), np.array([]))
    assert (found.a, found.b, found.c) == pytest.approx((1, 1, 0), abs=1e-6)


@pytest.mark.parametrize("accepted", [0.0, 1.0])
def test_six_ratings_do_not_move_much_even_if_they_all_say_the_same(accepted: float) -> None:
    scores = np.array([0.55, 0.6, 0.62, 0.66, 0.7, 0.74])
    found = fit(scores, np.full(6, accepted))
    assert np.abs(found(GRID) - drawn_in(GRID)).max() < 0.25
    assert assess(Rated(scores, np.full(6, accepted), np.arange(6), 6)).refused.startswith(f"{6 * accepted:g} of 6")


def test_one_rating_is_refused() -> None:
    found = assess(Rated(np.array([0.7]), np.array([1.0]), np.array([0]), 1))
    assert "at least 3" in found.refused
    assert found.figures == {}


def test_no_rating_is_refused() -> None:
    assert "no rated clip" in assess(Rated(np.array([]), np.array([]), np.array([], dtype=np.int64), 0)).refused


def test_few_prompts_are_refused() -> None:
    assert "of 4 prompts" in assess(rated(80, clips_a_prompt=20)).refused


@pytest.mark.parametrize("n", [20, 300])
def test_reversed_ratings_are_refused(n: int) -> None:
    found = assess(rated(n, lambda s: 1 - strict(s)))
    assert "not shown to score higher" in found.refused


def test_ratings_that_ignore_the_score_are_mostly_refused() -> None:
    taken = sum(not assess(rated(60, lambda s: np.full_like(s, 0.4), seed=seed)).refused for seed in range(20))
    assert taken <= 6  # each has a chance of about one in twenty


def test_a_score_that_is_right_already_is_mostly_left_alone() -> None:
    taken = sum(not assess(rated(60, lambda s: s, seed=seed)).refused for seed in range(20))
    assert taken <= 6


def test_a_prompt_is_never_learned_from_and_judged_by() -> None:
    """With one rating turned round, the chances of its own prompt stay what they were."""
    data = rated(40, clips_a_prompt=4)
    turned = data.accepted.copy()
    turned[0] = 1 - turned[0]
    before, after = held_out(data), held_out(replace(data, accepted=turned))
    own = data.groups == data.groups[0]
    assert np.array_equal(before[own], after[own])
    assert not np.array_equal(before[~own], after[~own])


def test_the_same_clips_twice_under_their_prompts_make_nothing_surer() -> None:
    """An interval over prompts: copies of a prompt's clips widen nothing and narrow nothing."""
    data = rated(30, seed=3)
    twice = Rated(np.tile(data.scores, 2), np.tile(data.accepted, 2), np.tile(data.groups, 2), 60)
    one, two = assess(data), assess(twice)
    assert one.concordance == pytest.approx(two.concordance)


def test_the_order_of_the_ratings_does_not_matter() -> None:
    data = rated(50)
    mixed = np.random.default_rng(1).permutation(50)
    one, two = fit(data.scores, data.accepted), fit(data.scores[mixed], data.accepted[mixed])
    assert (one.a, one.b, one.c) == pytest.approx((two.a, two.b, two.c), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=40))
def test_every_fit_rises_within_bounds(points: list[tuple[float, float]]) -> None:
    data: Array = np.array(points).reshape(-1, 2)
    found = fit(data[:, 0], data[:, 1])
    assert min(found.a, found.b) >= LEAST
    values = [value for _, value in found.knots()]
    assert all(0 <= low < high <= 1 for low, high in pairwise(values))


def test_raters_who_draw_a_sharp_line_get_a_map_that_rises_everywhere() -> None:
    data = rated(4000, lambda s: (s > 0.6) * 1.0)
    found = assess(data)
    assert found.refused == ""
    assert found.beta is not None
    curve = Curve(found.beta.knots())
    assert curve(0.5) < 0.1 < 0.9 < curve(0.7)


def test_concordance_is_the_share_of_pairs() -> None:
    scores, y = np.array([0.2, 0.5, 0.5, 0.9]), np.array([0.0, 1.0, 0.0, 1.0])
    ones = np.ones((1, 4))
    assert concordances(scores, y, ones)[0] == pytest.approx((1 + 0.5 + 1 + 1) / 4)
    doubled = np.array([[2.0, 1.0, 1.0, 1.0]])
    assert concordances(scores, y, doubled)[0] == pytest.approx((2 + 0.5 + 2 + 1) / 6)
    assert np.isnan(concordances(scores, np.ones(4), ones)[0])

"""From choices to a taste: what it learns, what it says, and that it survives being kept."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqa.taste.choice import Choice
from dqa.taste.features import NAMES, difference
from dqa.taste.gate import gate
from dqa.taste.learn import learn
from dqa.taste.prior import DEFAULT
from dqa.taste.recipe import recipe
from dqa.taste.taste import Taste
from dqa.taste.wilson import wilson
from tests.counting import calls
from tests.taste.simulated import made

MOTION = NAMES.index("dimension:motion_smoothness")


def clip(seed: int, missing: tuple[int, ...] = ()) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=len(NAMES)) * 0.6
    values[list(missing)] = math.nan
    return values


def lover_of_smooth_motion(n: int) -> list[Choice]:
    pairs = [(clip(2 * i), clip(2 * i + 1)) for i in range(n)]
    return [Choice(a, b, "a" if a[MOTION] > b[MOTION] else "b") for a, b in pairs]


def test_it_finds_what_goes_with_rejection_and_says_it_with_a_count() -> None:
    taste = learn(lover_of_smooth_motion(20), version=1)
    assert taste.patterns[0].startswith("low motion smoothness (below about 0.")
    assert np.argmax(taste.mean) == MOTION
    assert taste.loss is not None
    assert taste.loss < math.log(2)


def test_it_knows_more_with_more_choices_and_nothing_without() -> None:
    none, few, many = (learn(lover_of_smooth_motion(n), version=1) for n in (0, 5, 60))
    assert none.confidence == 0
    assert none.patterns == ()
    assert none.loss is None
    assert few.confidence < many.confidence < 1


def test_what_was_not_judged_says_nothing() -> None:
    blind = [Choice(clip(1, (MOTION,)), clip(2), "a")] * 30
    taste = learn(blind, version=1)
    assert taste.mean[MOTION] == pytest.approx(learn([], version=1).mean[MOTION])
    assert difference(clip(1, (MOTION,)), clip(2))[MOTION] == 0


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 30))
def test_a_taste_survives_being_kept(n: int) -> None:
    taste = learn(lover_of_smooth_motion(n), version=3)
    assert Taste.model_validate_json(taste.model_dump_json()) == taste
    probe = taste.offset(clip(99))
    assert taste.posterior().probability(probe) == learn(lover_of_smooth_motion(n), version=3).posterior().probability(
        probe
    )


@given(st.integers(1, 200), st.data())
def test_wilson_holds_the_share(of: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, of))
    low, high = wilson(count, of)
    assert -1e-9 <= low <= count / of <= high <= 1 + 1e-9


def test_the_same_log_makes_the_same_taste_to_the_last_digit() -> None:
    first, again = (learn(made(3, 90), 7, profile="embedded") for _ in range(2))
    assert first.model_dump_json() == again.model_dump_json()


def test_it_fills_what_a_page_shows() -> None:
    taste = learn(made(3, 120), 2)
    assert taste.held_out is not None
    assert taste.held_out.pairs == 120
    assert taste.held_out.accuracy > 0.6
    assert taste.curve[-1].choices == 120
    assert taste.effective_choices == pytest.approx(120)
    assert taste.half_life is None
    assert taste.adapter is None
    assert 0.25 < taste.confidence < 1


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(30)), st.lists(st.booleans(), min_size=30, max_size=30))
def test_neither_the_order_nor_which_clip_is_called_a_matters(order: list[int], swapped: list[bool]) -> None:
    choices = made(4, 30)
    turned = {"a": "b", "b": "a", "tie": "tie"}
    other = [
        replace(c, a=c.b, b=c.a, chosen=turned[c.chosen], clips=c.clips[::-1]) if swap else c
        for c, swap in zip((choices[i] for i in order), swapped, strict=True)
    ]
    one, two = learn(choices, 1), learn(other, 1)
    assert np.allclose(one.mean, two.mean, atol=1e-6)
    assert np.allclose(one.covariance, two.covariance, atol=1e-6)


def test_repeating_a_choice_counts_three_times_at_most() -> None:
    base, again = made(5, 20), made(5, 20)[0]
    three, many = (learn([*base[1:], *[again] * n], 1) for n in (3, 200))
    assert np.allclose(three.mean, many.mean, atol=1e-6)
    assert many.effective_choices == pytest.approx(three.effective_choices)
    assert many.choices == 219


def test_contradictions_on_a_pair_say_that_it_is_close() -> None:
    one = made(6, 1)[0]
    other = replace(one, chosen="b" if one.chosen == "a" else "a")
    tie = replace(one, chosen="tie")
    prior = learn([], 1).posterior().probability(difference(one.a, one.b))
    for pair in ([one, other], [tie, tie]):
        chance = learn(pair, 1).posterior().probability(difference(one.a, one.b))
        assert abs(chance - 0.5) <= abs(prior - 0.5) + 1e-9


def test_a_taste_for_the_left_side_does_not_leak_into_the_taste() -> None:
    """A user who takes the left clip nine times in ten, and a feature that happens to be higher on the left."""
    rng = np.random.default_rng(8)
    choices: list[Choice] = []
    for _ in range(150):
        a, b = clip(int(rng.integers(10**6))), clip(int(rng.integers(10**6)))
        left = "a" if rng.random() < 0.5 else "b"
        (a if left == "a" else b)[MOTION] += 0.5
        chosen = left if rng.random() < 0.9 else ("b" if left == "a" else "a")
        choices.append(Choice(a, b, chosen, left=left))
    knowing, blind = learn(choices, 1), learn([replace(c, left=None) for c in choices], 1)
    assert knowing.position is not None
    assert knowing.position.biased
    assert abs(knowing.mean[MOTION]) < 0.6 * abs(blind.mean[MOTION])
    assert len(knowing.mean) == len(NAMES)


def test_features_that_are_missing_or_broken_keep_the_prior() -> None:
    choices = made(7, 40)
    for c in choices:
        c.a[MOTION], c.b[MOTION + 1] = math.nan, math.inf
    taste, nothing = learn(choices, 1), learn([], 1)
    for i in (MOTION, MOTION + 1):
        assert taste.mean[i] == nothing.mean[i]
    assert taste.typical[MOTION] is not None
    assert all(math.isfinite(x) for x in taste.mean)
    assert learn([Choice(clip(1) * math.nan, clip(2), "a")], 1).mean == nothing.mean


def test_a_refit_takes_hardly_more_steps_at_a_thousand_choices_than_at_a_hundred() -> None:
    few, many = recipe(made(9, 100), DEFAULT), recipe(made(9, 1000), DEFAULT)
    assert calls(many.fitted) < 5 * calls(few.fitted), "matrices grow, not the number of operations on them"


def test_the_work_of_a_step_grows_no_faster_than_the_choices() -> None:
    def step(choices: list[Choice]) -> int:
        return calls(lambda: learn(choices, 1)) + calls(lambda: gate(choices, choices[:-10]))

    assert step(made(9, 1000)) < 15 * step(made(9, 100)), "ten times the choices"

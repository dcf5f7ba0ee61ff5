"""From choices to a taste: what it learns, what it says, and that it survives being kept."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.taste.choice import Choice
from dqa.taste.features import NAMES, difference
from dqa.taste.learn import learn
from dqa.taste.taste import Taste
from dqa.taste.wilson import wilson

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

"""A user's own channel weights: only within bounds, only where they predict better, seldom by accident."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqa.synthesis import WEIGHTS
from dqa.taste.channel_weights import ENOUGH, LEAST, MISSION, MOST, bounded, learned
from dqa.taste.choice import Choice
from dqa.taste.features import CHANNELS, INDEX, NAMES

PLACES = [INDEX[f"channel:{name}"] for name in CHANNELS]
USUAL = np.array([MISSION[name] for name in CHANNELS])
LOVES_SPATIAL = np.array([0.0, 0.6, 0.15, 0.0])


def simulated(n: int, weights: np.ndarray, seed: int, prompts: int = 50) -> list[Choice]:
    """Choices of a user who weighs the channels so, one in ten flipped."""
    rng = np.random.default_rng(seed)
    made: list[Choice] = []
    for _ in range(n):
        scores = np.clip(0.6 + 0.18 * rng.normal(size=(2, 4)), 0, 1)
        a, b = np.full((2, len(NAMES)), np.nan)
        a[PLACES], b[PLACES] = (scores - 0.5) / 0.25
        likes_a = rng.random() < 1 / (1 + np.exp(-25 * (scores[0] - scores[1]) @ weights))
        prompt = f"prompt {rng.integers(prompts)}"
        made.append(Choice(a, b, "a" if likes_a != (rng.random() < 0.1) else "b", prompts=(prompt, prompt)))
    return made


def test_it_starts_from_the_mission() -> None:
    assert {**MISSION, "preference": WEIGHTS["preference"]} == WEIGHTS


def test_who_weighs_otherwise_gets_their_own_weights_within_bounds() -> None:
    found = [learned(simulated(250, LOVES_SPATIAL, seed)) for seed in range(10)]
    assert sum(weights is not None for weights in found) >= 8
    for weights in filter(None, found):
        assert weights["spatial"] > 1.5 * MISSION["spatial"]
        assert sum(weights.values()) == pytest.approx(sum(MISSION.values()))
        assert all(LEAST - 1e-9 <= weights[name] / MISSION[name] <= MOST + 1e-9 for name in MISSION)


def test_who_weighs_as_the_mission_does_keeps_its_weights() -> None:
    assert sum(learned(simulated(200, USUAL, seed)) is not None for seed in range(40)) <= 2


def test_random_choices_teach_nothing() -> None:
    assert sum(learned(simulated(200, 0 * USUAL, seed)) is not None for seed in range(40)) <= 2


def test_a_few_choices_or_a_few_prompts_are_not_enough() -> None:
    assert learned([]) is None
    assert learned(simulated(ENOUGH - 1, 3 * LOVES_SPATIAL, 0)) is None
    assert learned(simulated(250, LOVES_SPATIAL, 0, prompts=4)) is None


def test_choices_that_count_nothing_and_ties_are_not_looked_at() -> None:
    choices = simulated(250, LOVES_SPATIAL, 1)
    assert learned(choices) is not None
    assert learned(choices, [0.0] * len(choices)) is None
    ties = [Choice(c.a, c.b, "tie", prompts=c.prompts) for c in choices]
    assert learned(ties) is None
    assert learned([*choices, *ties]) == learned(choices)


def test_a_clip_that_was_not_judged_says_nothing() -> None:
    blind = [Choice(np.full(len(NAMES), np.nan), c.b, c.chosen, prompts=c.prompts) for c in simulated(250, USUAL, 1)]
    assert learned(blind) is None


@settings(deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=4, max_size=4))
def test_bounds_and_sum_hold_for_any_weights(raw: list[float]) -> None:
    found = bounded(np.array(raw))
    assert found.sum() == pytest.approx(USUAL.sum(), abs=1e-9)
    assert np.all(found >= LEAST * USUAL - 1e-9)
    assert np.all(found <= MOST * USUAL + 1e-9)
    assert bounded(found) == pytest.approx(found, abs=1e-9)

"""The adapter's reward speaks only where it helps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dqa.taste.choice import Choice
from dqa.taste.learn import learn
from dqa.taste.prior import DEFAULT, population
from dqa.taste.recipe import ADAPTER
from tests.taste.simulated import made, person


def rewarded(k: int, n: int, useful: bool, unit: float = 1.0) -> list[Choice]:
    rng = np.random.default_rng([7, k])
    taste = person(k)

    def with_reward(clip: np.ndarray) -> np.ndarray:
        whole = clip.copy()
        utility = float(np.nan_to_num(clip) @ taste) if useful else 0.0
        whole[ADAPTER] = unit * (utility + 0.5 * rng.normal())
        return whole

    return [replace(c, a=with_reward(c.a), b=with_reward(c.b)) for c in made(k, n)]


def test_a_reward_that_predicts_is_used() -> None:
    taste = learn(rewarded(0, 120, useful=True), 1, adapter="adapter-1")
    assert taste.adapter == "adapter-1"
    assert taste.mean[ADAPTER] > 0.3


def test_its_unit_does_not_matter() -> None:
    one, other = (learn(rewarded(0, 120, useful=True, unit=u), 1, adapter="x") for u in (1.0, 40.0))
    assert other.mean[ADAPTER] * 40 == pytest.approx(one.mean[ADAPTER], rel=1e-3)
    assert other.loss == pytest.approx(one.loss, rel=1e-4)


def test_noise_is_not_used() -> None:
    tastes = [learn(rewarded(k, 80, useful=False), 1, adapter="noise") for k in range(6)]
    assert [t.adapter for t in tastes] == [None] * 6
    assert [t.mean[ADAPTER] for t in tastes] == [0] * 6


def test_a_reward_that_says_the_opposite_is_not_used() -> None:
    turned = [replace(c, a=_turned(c.a), b=_turned(c.b)) for c in rewarded(0, 120, useful=True)]
    assert learn(turned, 1, adapter="x").adapter is None


def _turned(clip: np.ndarray) -> np.ndarray:
    other = clip.copy()
    other[ADAPTER] *= -1
    return other


def test_too_few_rewards_and_no_adapter_leave_it_silent() -> None:
    few = [*rewarded(0, 19, useful=True), *made(0, 80, first=100)]
    assert learn(few, 1, adapter="x").adapter is None
    unnamed = learn(rewarded(0, 120, useful=True), 1)
    assert unnamed.adapter is None
    assert unnamed.mean[ADAPTER] == 0


def test_what_others_adapters_are_worth_is_not_believed_of_ones_own() -> None:
    others = [learn(rewarded(k, 160, useful=True, unit=30.0), 1, adapter="x") for k in range(4)]
    found = population(others)
    assert sum(t.adapter is not None for t in others) >= 3
    assert found.users == 4
    assert found.mean[ADAPTER] == DEFAULT.mean[ADAPTER]
    assert found.precision[ADAPTER] == DEFAULT.precision[ADAPTER]

"""The preference model: what its maths promises, checked against torch's DPO loss and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.taste.bradley_terry import LAPSE, Posterior, fit, prior

D = 5
MEAN, PRECISION = np.zeros(D), np.full(D, 2.0)


def choices(n: int, seed: int, taste: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, D))
    chance = LAPSE + (1 - 2 * LAPSE) / (1 + np.exp(-x @ taste))
    return x, (rng.random(n) < chance).astype(float)


def accuracy(posterior: Posterior, taste: np.ndarray) -> float:
    x, _ = choices(2000, 99, taste)
    return float(np.mean((x @ posterior.mean > 0) == (x @ taste > 0)))


TASTE = np.array([2.0, -1.0, 0.5, 0.0, 1.0])


def test_it_learns_and_knows_more_with_more_choices() -> None:
    few, many = (fit(*choices(n, 1, TASTE), MEAN, PRECISION) for n in (10, 200))
    assert accuracy(many, TASTE) > max(0.9, accuracy(few, TASTE))
    probe = np.ones(D)
    assert many.margin(probe)[1] < few.margin(probe)[1] < prior(MEAN, PRECISION).margin(probe)[1]
    assert 0 < few.known_share(probe) < many.known_share(probe) < 1
    assert prior(MEAN, PRECISION).known_share(probe) == pytest.approx(0)


def test_loss_is_the_dpo_loss_of_the_formula() -> None:
    torch = pytest.importorskip("torch")
    x, y = choices(40, 2, TASTE)
    mu = np.array([0.3, 0.0, -0.2, 0.1, 0.0])
    posterior = fit(x, y, mu, PRECISION)
    chosen = torch.tensor(np.where(y[:, None] == 1, x, -x))  # chosen minus rejected
    theta, reference = torch.tensor(posterior.mean), torch.tensor(mu)
    implicit = chosen @ (theta - reference) + chosen @ reference
    assert posterior.loss == pytest.approx(float(-torch.nn.functional.logsigmoid(implicit).mean()))


def test_the_fit_is_a_maximum() -> None:
    x, y = choices(60, 3, TASTE)
    best = fit(x, y, MEAN, PRECISION).mean
    eps = 1e-5

    def objective(theta: np.ndarray) -> float:
        p = LAPSE + (1 - 2 * LAPSE) / (1 + np.exp(-x @ theta))
        return float(np.sum(y * np.log(p) + (1 - y) * np.log(1 - p)) - 0.5 * np.sum(PRECISION * theta**2))

    for i in range(D):
        step = np.eye(D)[i] * eps
        slope = (objective(best + step) - objective(best - step)) / (2 * eps)
        assert slope == pytest.approx(0, abs=1e-3)


def test_without_choices_there_is_the_prior() -> None:
    posterior = fit(np.zeros((0, D)), np.zeros(0), MEAN, PRECISION)
    assert posterior.choices == 0
    assert posterior.loss is None
    assert posterior.probability(np.ones(D)) == pytest.approx(0.5)


def test_ties_pull_towards_even() -> None:
    x = np.eye(D)[:1].repeat(20, axis=0)
    won = fit(x, np.ones(20), MEAN, PRECISION)
    tied = fit(x, np.full(20, 0.5), MEAN, PRECISION)
    assert tied.probability(x[0]) == pytest.approx(0.5)
    assert won.probability(x[0]) > 0.7


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_swapping_the_sides_swaps_the_chance_and_order_does_not_matter(seed: int, n: int) -> None:
    x, y = choices(n, seed, TASTE)
    posterior = fit(x, y, MEAN, PRECISION)
    swapped = fit(-x[::-1], 1 - y[::-1], MEAN, PRECISION)
    assert np.allclose(posterior.mean, swapped.mean, atol=1e-6)
    probe = x[0]
    assert posterior.probability(probe) + posterior.probability(-probe) == pytest.approx(1)
    low, high = posterior.interval(probe)
    assert LAPSE <= low <= high <= 1 - LAPSE


def test_contradicting_choices_cancel_and_a_slip_is_forgiven() -> None:
    x = np.eye(D)[:1].repeat(2, axis=0)
    assert fit(x, np.array([1.0, 0.0]), MEAN, PRECISION).probability(x[0]) == pytest.approx(0.5)
    x = np.vstack([np.eye(D)[:1].repeat(30, axis=0), 8 * np.eye(D)[:1]])
    slipped = fit(x, np.array([1.0] * 30 + [0.0]), MEAN, PRECISION)
    assert slipped.probability(x[0]) > 0.8
    assert math.isfinite(slipped.loss or math.nan)

"""The preference model: what its maths promises, checked against torch's DPO loss and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.taste.bradley_terry import LAPSE, Posterior, chance_of, fit, interval_of, prior

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


def test_the_posterior_is_the_one_that_quadrature_finds() -> None:
    """Two features, 40 choices: mean and covariance against a sum over a fine grid."""
    x, y = choices(40, 5, TASTE)
    x = x[:, :2]
    mean, precision = np.array([0.2, -0.1]), np.array([2.0, 1.0])
    found = fit(x, y, mean, precision)
    axis = np.linspace(-4, 4, 321)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    p = LAPSE + (1 - 2 * LAPSE) / (1 + np.exp(-grid @ x.T))
    log = np.log(np.where(y == 1, p, 1 - p)).sum(axis=1) - 0.5 * ((grid - mean) ** 2 @ precision)
    weights = np.exp(log - log.max())
    weights /= weights.sum()
    exact = weights @ grid
    spread = (grid - exact).T @ ((grid - exact) * weights[:, None])
    assert np.allclose(grid[np.argmax(log)], found.mean, atol=0.03)
    assert np.allclose(exact, found.mean, atol=0.6 * np.sqrt(np.diag(spread)).min())
    assert np.allclose(np.sqrt(np.diag(spread)), np.sqrt(np.diag(found.covariance)), rtol=0.25)
    probe = np.array([0.7, 0.4])
    chance = weights @ (LAPSE + (1 - 2 * LAPSE) / (1 + np.exp(-grid @ probe)))
    assert found.probability(probe) == pytest.approx(float(chance), abs=0.03)


def test_without_lapse_and_mean_it_is_ridge_logistic_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    monkeypatch.setattr("dqa.taste.bradley_terry.LAPSE", 0.0)
    x, y = choices(80, 6, TASTE)
    ours = fit(x, y, np.zeros(D), np.full(D, 10.0))
    theirs = linear_model.LogisticRegression(C=0.1, fit_intercept=False, tol=1e-10, max_iter=1000).fit(x, y)
    assert np.allclose(ours.mean, theirs.coef_[0], atol=1e-5)


def test_features_that_no_choice_tells_apart_keep_their_prior_and_do_not_disturb() -> None:
    x, y = choices(50, 7, TASTE)
    blind = x.copy()
    blind[:, [1, 3]] = 0
    whole, part = fit(blind, y, MEAN + 0.3, PRECISION), fit(x[:, [0, 2, 4]], y, MEAN[:3] + 0.3, PRECISION[:3])
    assert whole.mean[[1, 3]] == pytest.approx(0.3)
    assert np.diag(whole.covariance)[[1, 3]] == pytest.approx(1 / PRECISION[0])
    assert np.allclose(whole.mean[[0, 2, 4]], part.mean)
    assert np.allclose(whole.covariance[np.ix_([0, 2, 4], [0, 2, 4])], part.covariance)


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_where_the_search_starts_and_how_many_are_asked_at_once_does_not_matter(seed: int, n: int) -> None:
    x, y = choices(n, seed, TASTE)
    cold = fit(x, y, MEAN, PRECISION)
    warm = fit(x, y, MEAN, PRECISION, start=cold.mean + 0.05)
    assert np.allclose(cold.mean, warm.mean, atol=1e-4)
    assert np.allclose(cold.probabilities(x), [cold.probability(row) for row in x])
    assert np.allclose(cold.known_shares(x), [cold.known_share(row) for row in x])


@given(st.floats(-200, 200), st.floats(0, 100))
def test_the_interval_holds_the_chance_however_decided_or_unsure_a_taste_is(mean: float, deviation: float) -> None:
    low, high = interval_of(mean, deviation)
    assert 0 <= low <= chance_of(mean, deviation) <= high <= 1
    posterior = Posterior(np.array([mean]), np.array([[deviation**2]]), np.zeros(1), np.ones(1), 1, None)
    chance, interval = posterior.probability(np.ones(1)), posterior.interval(np.ones(1))
    assert interval[0] <= chance <= interval[1]

"""Bayesian Bradley-Terry on evaluation features: DPO on a linear scorer.

With a scorer ``s(x) = theta . x`` the DPO loss with beta = 1 and a linear reference ``mu . x``,
``-log sigmoid((log pi(c) - log pi_ref(c)) - (log pi(r) - log pi_ref(r)))``
with ``log pi - log pi_ref = (theta - mu) . x`` and ``mu . x`` added back, is the Bradley-Terry log loss of
``theta . (x_c - x_r)``: the partition functions cancel.

    theta ~ N(mu, P^-1)                                    the prior: what people like on the whole
    p(a over b) = e + (1 - 2 e) sigmoid(theta . (x_a - x_b))     e = 0.05: one choice in ten is a slip

The maximum is found by Fisher scoring, the posterior is Laplace's Gaussian around it, and a prediction is averaged over
it by the probit approximation ``sigmoid(m / sqrt(1 + pi s^2 / 8))`` (MacKay 1992, eq. 24), which keeps few choices
from sounding sure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LAPSE = 0.05
"""Share of choices on each side that say nothing (mis-clicks)."""

_STEPS, _TOLERANCE = 50, 1e-10

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is known of a taste.

    Attributes:
        mean: d weights, the most probable taste.
        covariance: d x d, how uncertain they are.
        prior_mean: d, where it started; all that is known without choices.
        prior_precision: d.
        choices: how many choices it has seen.
        loss: mean Bradley-Terry log loss over those choices, in nats; ``log 2`` is guessing; None without choices.
    """

    mean: Array
    covariance: Array
    prior_mean: Array
    prior_precision: Array
    choices: int
    loss: float | None

    def margin(self, difference: Array) -> tuple[float, float]:
        """Mean and standard deviation of ``theta . difference``."""
        variance = float(difference @ self.covariance @ difference)
        return float(self.mean @ difference), math.sqrt(max(0.0, variance))

    def probability(self, difference: Array) -> float:
        """Chance that the first of two clips is chosen, averaged over what is not known; in (0.05, 0.95)."""
        mean, deviation = self.margin(difference)
        return LAPSE + (1 - 2 * LAPSE) * chance_of(mean, deviation)

    def probabilities(self, differences: Array) -> Array:
        """:meth:`probability` of n differences at once: n x d in, n out."""
        deviations = np.sqrt(1 + np.pi / 8 * self._variances(differences))
        return LAPSE + (1 - 2 * LAPSE) * _sigmoids(differences @ self.mean / deviations)

    def interval(self, difference: Array, deviations: float = 1.645) -> tuple[float, float]:
        """The 90 % interval of that chance (for the default ``deviations``); see :func:`interval_of`."""
        low, high = interval_of(*self.margin(difference), deviations)
        return LAPSE + (1 - 2 * LAPSE) * low, LAPSE + (1 - 2 * LAPSE) * high

    def known_share(self, difference: Array) -> float:
        """How much of the prior's variance along ``difference`` the choices have removed: 0 nothing .. 1 all."""
        return float(self.known_shares(difference[None, :])[0])

    def known_shares(self, differences: Array) -> Array:
        """:meth:`known_share` of n differences at once: n x d in, n out."""
        before = differences**2 @ (1 / self.prior_precision)
        left = np.divide(self._variances(differences), before, out=np.ones(len(differences)), where=before > 0)
        return 1.0 - np.minimum(1.0, left)

    def without_last(self, columns: int) -> Posterior:
        """What is known of all but the last ``columns`` weights, whatever those are (the marginal)."""
        kept = slice(0, len(self.mean) - columns)
        return Posterior(
            self.mean[kept],
            self.covariance[kept, kept],
            self.prior_mean[kept],
            self.prior_precision[kept],
            self.choices,
            self.loss,
        )

    def _variances(self, differences: Array) -> Array:
        return np.maximum(0.0, np.einsum("ij,ij->i", differences @ self.covariance, differences))


def chance_of(mean: float, deviation: float) -> float:
    """``sigmoid`` of a normal margin, averaged (without lapses); in (0, 1)."""
    return _sigmoid(mean / math.sqrt(1 + math.pi * deviation**2 / 8))


def interval_of(mean: float, deviation: float, deviations: float = 1.645) -> tuple[float, float]:
    """The 90 % interval of ``sigmoid`` of a normal margin (for the default ``deviations``), made to hold the average.

    Averaging pulls the chance towards one half, further than the interval reaches where the margin is far from 0 and
    its deviation large; the interval is then widened to that chance, which is what was told.

    >>> [round(x, 3) for x in (chance_of(20.0, 5.0), *interval_of(20.0, 5.0))]
    [0.998, 0.998, 1.0]
    """
    chance = chance_of(mean, deviation)
    low, high = (_sigmoid(mean + sign * deviations * deviation) for sign in (-1, 1))
    return min(low, chance), max(high, chance)


def prior(mean: Array, precision: Array) -> Posterior:
    """The posterior before any choice."""
    return Posterior(mean, np.diag(1 / precision), mean, precision, 0, None)


def fit(
    differences: Array,
    outcomes: Array,
    mean: Array,
    precision: Array,
    weights: Array | None = None,
    start: Array | None = None,
) -> Posterior:
    """The posterior after some choices; exact refit, so the order of the choices does not matter.

    Features that no choice tells apart keep their prior and cost nothing.

    Args:
        differences: n x d, features of the first minus the second clip.
        outcomes: n, 1 when the first was chosen, 0 the second, 0.5 for a tie.
        mean: d, the prior's mean.
        precision: d, the prior's precision (> 0).
        weights: n, how much each choice counts; default 1.
        start: d, where to begin the search (a fit to nearly the same choices makes it quick); default ``mean``.
    """
    if not len(differences):
        return prior(mean, precision)
    told = np.flatnonzero(differences.any(axis=0))
    counts = np.ones(len(outcomes)) if weights is None else weights
    x = np.ascontiguousarray(differences[:, told])
    data = (x, outcomes, mean[told], precision[told], counts)
    best, information = _maximum((mean if start is None else start)[told], data)
    theta, covariance = mean.copy(), np.diag(1 / precision)
    theta[told] = best
    covariance[np.ix_(told, told)] = np.linalg.inv(information)
    total = float(counts.sum())
    loss = float(counts @ _log_loss(x @ best, outcomes)) / total if total > 0 else None
    return Posterior(theta, covariance, mean, precision, len(outcomes), loss)


def _maximum(theta: Array, data: tuple[Array, ...]) -> tuple[Array, Array]:
    """The most probable weights, and the information there."""
    value = _objective(theta, *data)
    for _ in range(_STEPS):
        gradient, information = _derivatives(theta, *data)
        step: Array = np.linalg.solve(information, gradient).astype(np.float64)
        theta, new = _line_search(theta, step, value, data)
        if abs(new - value) < _TOLERANCE * (1 + abs(value)):
            break
        value = new
    return theta, _derivatives(theta, *data)[1]


def _line_search(theta: Array, step: Array, value: float, data: tuple[Array, ...]) -> tuple[Array, float]:
    """Halves the step until the objective does not fall: with lapses it is not concave everywhere."""
    for _ in range(30):
        new = _objective(theta + step, *data)
        if new >= value:
            return theta + step, new
        step = step / 2
    return theta, value


def _objective(theta: Array, x: Array, y: Array, mean: Array, precision: Array, weights: Array) -> float:
    p = LAPSE + (1 - 2 * LAPSE) * _sigmoids(x @ theta)
    likelihood = np.sum(weights * (y * np.log(p) + (1 - y) * np.log1p(-p)))
    return float(likelihood - 0.5 * np.sum(precision * (theta - mean) ** 2))


def _derivatives(
    theta: Array, x: Array, y: Array, mean: Array, precision: Array, weights: Array
) -> tuple[Array, Array]:
    """Gradient of the objective, and the Fisher information with the prior's precision added (always invertible)."""
    s = _sigmoids(x @ theta)
    p = LAPSE + (1 - 2 * LAPSE) * s
    slope = (1 - 2 * LAPSE) * s * (1 - s)
    gradient = x.T @ (weights * (y - p) * slope / (p * (1 - p))) - precision * (theta - mean)
    rooted = x * (np.sqrt(weights / (p * (1 - p))) * slope)[:, None]
    return gradient, rooted.T @ rooted + np.diag(precision)


def _log_loss(margins: Array, y: Array) -> Array:
    return y * np.logaddexp(0, -margins) + (1 - y) * np.logaddexp(0, margins)


def _sigmoids(z: Array) -> Array:
    return 0.5 * (1 + np.tanh(z / 2))  # the stable form: no overflow on either side


def _sigmoid(z: float) -> float:
    return 0.5 * (1 + math.tanh(z / 2))

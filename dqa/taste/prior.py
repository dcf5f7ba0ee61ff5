"""What is believed of a taste before its user chose anything: the product's default, or what other users taught.

A common mean for all features and one precision for each group of them: with 30 users, more (a covariance) is too
diffuse to help, less (one precision) is blind to which groups matter (docs/design/taste.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dqa.taste.bradley_terry import Array
from dqa.taste.features import GROUPS, INDEX, NAMES
from dqa.taste.taste import Taste

MIN_USERS = 3
"""Fewer other users make no population: their prior would be somebody's taste."""

MAX_USERS = 60
"""More are not read: the mean is known well by then, and the cost stays bounded."""

_LIKED = {"scores": 0.2, "history": 0.2, "adapter": 0.2}
_LIKED_FEATURES = {"style:likes": 0.2, "style:dislikes": -0.2}
# The reward's is high since it speaks only where it did well on a few pairs: what such a choice lets through promises
# more than it holds (benchmarks/taste_stacking.py).
_PRECISIONS = {"embedding": 64.0, "adapter": 32.0}
_PRECISION = 8.0

DEFAULT_COUNT, PRECISION_COUNT = 2.0, 0.1
"""As how many users, who know their taste exactly, the default's mean and its precisions count."""

DEVIATIONS = 2.0
"""A user's deviation from the mean counts up to this many of the population's standard deviations, in each feature."""

PRECISION_RANGE = 32.0
"""A group's precision is at most this many times more or less than what was believed before."""

_ROUNDS = 30


@dataclass(frozen=True, slots=True)
class Population:
    """A prior over tastes.

    Attributes:
        mean: d, the common taste.
        precision: d, how little tastes differ from it; the same for all features of a group.
        users: how many users it was learned from; 0 for the product's default.
    """

    mean: Array
    precision: Array
    users: int = 0


def _default() -> Population:
    mean, precision = np.zeros(len(NAMES)), np.full(len(NAMES), _PRECISION)
    for group, value in _LIKED.items():
        mean[members(group)] = value
    for group, value in _PRECISIONS.items():
        precision[members(group)] = value
    for name, value in _LIKED_FEATURES.items():
        mean[INDEX[name]] = value
    return Population(mean, precision)


def members(group: str) -> list[int]:
    """Where the features of a group are in a vector."""
    return [INDEX[name] for name in GROUPS[group]]


DEFAULT = _default()
"""People like what scores high, what they said they like, what is like the clips they chose; nothing else is known."""


def population(tastes: Sequence[Taste]) -> Population:
    """The prior that other users' serving tastes make; the default below :data:`MIN_USERS` of them.

    What each user's choices said (their posterior with their own prior taken out again) enters a hierarchical model
    ``theta_u ~ N(mu, P^-1)``, fitted by expectation-maximisation. Each user counts once: what one knows well weighs up
    to the population's own precision and no more, and a deviation counts up to :data:`DEVIATIONS` standard deviations,
    however many choices they made.

    Args:
        tastes: one per other user, of one profile; unusable ones and those without choices are passed over.
    """
    known = sorted((t for t in tastes if t.usable and t.choices), key=lambda t: (-t.choices, t.mean))[:MAX_USERS]
    if len(known) < MIN_USERS:
        return DEFAULT
    information, score = (np.stack(part) for part in zip(*(_told(t) for t in known), strict=True))
    mean, precision = DEFAULT.mean.copy(), DEFAULT.precision.copy()
    for _ in range(_ROUNDS):
        covariance = np.linalg.inv(information + np.diag(precision))
        deviation = np.einsum("uij,uj->ui", covariance, score - information @ mean)
        bound = DEVIATIONS / np.sqrt(precision)
        deviation = np.clip(deviation, -bound, bound)
        known_part = np.eye(len(mean)) - covariance * precision  # the share of each weight that a user's choices say
        pull = deviation.sum(axis=0) + DEFAULT_COUNT * (DEFAULT.mean - mean)
        mean = mean + np.linalg.solve(known_part.sum(axis=0) + DEFAULT_COUNT * np.eye(len(mean)), pull)
        spread = deviation**2 + np.diagonal(covariance, axis1=1, axis2=2)
        precision = pooled(spread.sum(axis=0), len(known), DEFAULT.precision, PRECISION_COUNT)
    own = members("adapter")  # each adapter has a unit of its own: one user's says nothing of another's
    mean[own], precision[own] = DEFAULT.mean[own], DEFAULT.precision[own]
    return Population(mean, precision, len(known))


def pooled(spread: Array, times: float, before: Array, count: float) -> Array:
    """One precision per group from squared deviations of its features: shape (d,).

    Args:
        spread: d, expected squared deviations from the mean, summed over the users.
        times: how many users they are summed over.
        before: d, the precision believed before (> 0).
        count: as how many users that belief counts.
    """
    precision = np.empty_like(before)
    for group in GROUPS:
        at = members(group)
        ratio = len(at) * (times + count) / float(before[at] @ spread[at] + count * len(at))
        precision[at] = before[at] * min(max(ratio, 1 / PRECISION_RANGE), PRECISION_RANGE)
    return precision


def _told(taste: Taste) -> tuple[Array, Array]:
    """What a user's choices said: information (d x d) and information times weights (d), without their prior."""
    posterior = taste.posterior()
    whole = np.linalg.inv(posterior.covariance)
    information = whole - np.diag(posterior.prior_precision)
    score = whole @ posterior.mean - posterior.prior_precision * posterior.prior_mean
    values, vectors = np.linalg.eigh((information + information.T) / 2)
    positive = np.maximum(values, 0.0)  # rounding only: choices never take information away
    return (vectors * positive) @ vectors.T, score

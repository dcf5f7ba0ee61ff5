"""Beta calibration with a prior at the identity: few ratings hardly move a score, thousands decide it.

Kull, Silva Filho and Flach 2017, "Beta calibration": ``logit p = a ln s - b ln(1 - s) + c`` with a, b > 0, which
rises in s and is the identity at a = b = 1, c = 0. Here s is first drawn in from the edges, ``s' = 0.01 + 0.98 s``, so
that no score speaks with certainty and none has unbounded leverage; a and b are at least :data:`LEAST`, so that the
order of clips is kept strictly. The prior is the identity's own opinion: :data:`PRIOR_RATINGS` ratings spread evenly
over the scores, each accepting with the chance that the score says.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from dqa.acceptance.curve import Knot

Array = NDArray[np.float64]

EDGE = 0.01
LEAST = 0.05
PRIOR_RATINGS = 20
KNOTS = 101
OWN_SHARE = 0.001

_STEPS, _TOLERANCE = 60, 1e-12


@dataclass(frozen=True, slots=True)
class Beta:
    """A fitted map: ``a``, ``b`` >= :data:`LEAST`, any ``c``."""

    a: float
    b: float
    c: float

    def __call__(self, scores: Array) -> Array:
        """Chances of n scores in [0, 1], shape (n,), inside (0, 1); a thousandth of each is the score itself.

        So they rise, and none is certain, even where a steep map has come to 0 or 1 as far as floating point can tell.
        """
        chances = _sigmoid(_terms(scores) @ np.array([self.a, self.b, self.c]))
        return (1 - OWN_SHARE) * chances + OWN_SHARE * drawn_in(scores)

    def knots(self) -> tuple[Knot, ...]:
        """The map as :class:`~dqa.acceptance.curve.Curve` takes it."""
        scores = np.linspace(0.0, 1.0, KNOTS)
        return tuple(zip(scores.tolist(), self(scores).tolist(), strict=True))


def drawn_in(scores: Array) -> Array:
    """``0.01 + 0.98 s``: the scores as chances that are never certain."""
    return EDGE + (1 - 2 * EDGE) * scores


def fit(scores: Array, accepted: Array) -> Beta:
    """The most probable map.

    Args:
        scores: n, in [0, 1].
        accepted: n, share of each clip's ratings that accept, in [0, 1].
    """
    believed = (np.arange(PRIOR_RATINGS) + 0.5) / PRIOR_RATINGS
    terms = np.concatenate([_terms(scores), _terms(believed)])
    targets = np.concatenate([accepted, drawn_in(believed)])
    # The loss is convex and the bounds are two: the best of the four faces that keeps them is the best of all.
    found = [_on_face(terms, targets, held) for held in product((False, True), repeat=2)]
    theta = min((theta for theta in found if min(theta[:2]) >= LEAST), key=lambda theta: _loss(theta, terms, targets))
    return Beta(*(float(value) for value in theta))


def _terms(scores: Array) -> Array:
    s = drawn_in(np.asarray(scores, dtype=np.float64))
    return np.stack([np.log(s), -np.log1p(-s), np.ones_like(s)], axis=1)


def _on_face(terms: Array, targets: Array, held: tuple[bool, ...]) -> Array:
    """The minimum with the ``held`` ones of a and b at :data:`LEAST`, by Newton's method with step halving."""
    free = np.flatnonzero([*(not each for each in held), True])
    theta = np.where([*held, False], LEAST, [1.0, 1.0, 0.0])
    value = _loss(theta, terms, targets)
    x = terms[:, free]
    for _ in range(_STEPS):
        p = _sigmoid(terms @ theta)
        information = (x * (p * (1 - p))[:, None]).T @ x + 1e-12 * np.eye(len(free))
        step = np.zeros(3)
        step[free] = np.linalg.solve(information, x.T @ (targets - p))
        theta, new = _halved(theta, step, value, (terms, targets))
        if value - new < _TOLERANCE * (1 + value):
            break
        value = new
    return theta


def _halved(theta: Array, step: Array, value: float, data: tuple[Array, Array]) -> tuple[Array, float]:
    for _ in range(40):
        new = _loss(theta + step, *data)
        if new <= value:
            return theta + step, new
        step = step / 2
    return theta, value


def _loss(theta: Array, terms: Array, targets: Array) -> float:
    margins = terms @ theta
    return float(np.sum(np.logaddexp(0.0, margins) - targets * margins))


def _sigmoid(z: Array) -> Array:
    return 0.5 * (1 + np.tanh(z / 2))

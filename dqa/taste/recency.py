"""Tastes change: choices count less the more have come after them, if forgetting predicts this user better.

The half-life is counted in choices (as the caps count them, so that a flood or a repeat ages nothing much), and is
chosen by prequential log loss: each of the newest choices is predicted from those before it, once per half-life.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dqa.taste.bradley_terry import Array, Posterior

HALF_LIVES: tuple[float | None, ...] = (None, 100.0, 50.0, 25.0)
"""From never forgetting to forgetting fast."""

JUDGED = 40
"""The newest choices, by whose prediction the half-life is chosen."""

BLOCK = 10
"""They are predicted by this many at a time: one refit for each block."""

LEAST = 40
"""Fewer choices before those forget nothing."""

MARGIN = 1.0
"""A shorter half-life must predict the judged choices better by this many nats in all (a likelihood ratio of e)."""

Fit = Callable[[int, Array], Posterior]
"""Refits to the first n choices with their weights."""


def recency(counts: Array, half_life: float | None) -> Array:
    """How much each choice counts: ``counts`` halved for each ``half_life`` of later choices; shape (n,).

    Args:
        counts: n, what each would count if it were the newest (:func:`dqa.taste.caps.caps`), oldest first.
        half_life: in choices; None forgets nothing.
    """
    if half_life is None or not len(counts):
        return counts
    later = counts.sum() - np.cumsum(counts)
    return counts * 0.5 ** (later / half_life)


def half_life(differences: Array, outcomes: Array, counts: Array, fit: Fit) -> float | None:
    """The half-life that predicts the newest choices best, longer ones first: see :data:`MARGIN`.

    Args:
        differences: n x d, oldest first.
        outcomes: n, 1, 0 or 0.5.
        counts: n, what each choice would count if it were the newest.
        fit: how to refit.
    """
    if len(outcomes) < LEAST + BLOCK:
        return None
    losses = {each: _prequential(differences, outcomes, counts, fit, each) for each in HALF_LIVES}
    best = HALF_LIVES[0]
    for each in HALF_LIVES[1:]:
        if losses[each] < losses[best] - MARGIN:
            best = each
    return best


def _prequential(x: Array, y: Array, counts: Array, fit: Fit, half_life: float | None) -> float:
    total, judged = 0.0, min(JUDGED, len(y) - LEAST)
    for start in range(len(y) - judged, len(y), BLOCK):
        block = slice(start, min(start + BLOCK, len(y)))
        posterior = fit(start, recency(counts[:start], half_life))
        p = posterior.probabilities(x[block])
        total -= float(np.sum(counts[block] * (y[block] * np.log(p) + (1 - y[block]) * np.log1p(-p))))
    return total

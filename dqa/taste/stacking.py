"""Whether the reward of a language-model adapter may speak beside the other features: only if it predicts better."""

from __future__ import annotations

import numpy as np

from dqa.taste.bradley_terry import Array
from dqa.taste.held_out import Folds, log_loss, predicted
from dqa.taste.recipe import ADAPTER, Recipe

MIN_PAIRS = 20
"""Fewer held-out decided pairs with a reward on both sides show nothing."""

ERRORS = 2.5
"""How many standard errors the reward must be worth. At two, one useless reward in twenty came in and cost the light
tier up to six hundredths of its accuracy (``benchmarks/taste_stacking.py``)."""

_ROUNDS, _LARGEST = 25, 5.0


def helps(stacked: Recipe, plain: Recipe, fold: Folds | None) -> bool:
    """Whether the held-out pairs that have the reward on both sides are predicted better with it.

    Two things are asked. Added to what is predicted without it, by the one weight that fits best, the reward must raise
    the likelihood by as much as a weight of :data:`ERRORS` standard errors does (likelihood ratio, Wilks 1938). And the
    stacked recipe itself, which has to learn that weight from other folds, must predict no worse.

    Args:
        stacked: the recipe in which the reward may speak. Its rewards must be those of an adapter that has not been
            trained on the choices in question; for the others the feature is to be left out (NaN).
        plain: the same choices without it.
        fold: the fold of each choice.
    """
    rows = (plain.outcomes != 0.5) & (stacked.differences[:, ADAPTER] != 0)
    if fold is None or rows.sum() < MIN_PAIRS:
        return False
    y, weights = plain.outcomes[rows], plain.weights[rows]
    with_it, without = (predicted(each, fold, each.differences[rows, :-1], fold[rows])[0] for each in (stacked, plain))
    if 2 * _gain(without, stacked.differences[rows, ADAPTER], y, weights) < ERRORS**2:
        return False
    return float(weights @ (log_loss(without, y) - log_loss(with_it, y))) > 0


def _gain(p: Array, rewards: Array, y: Array, weights: Array) -> float:
    """Log-likelihood that the rewards add to chances ``p``, in nats, by their best weight; 0 if it is negative."""
    logits, unit = np.log(p) - np.log1p(-p), rewards / np.sqrt(np.mean(rewards**2))
    weight = 0.0
    for _ in range(_ROUNDS):
        q = _chances(logits + weight * unit)
        step = (weights * unit) @ (y - q) / ((weights * unit**2) @ (q * (1 - q)) + 1e-9)
        weight = float(np.clip(weight + step, -_LARGEST, _LARGEST))
    if weight <= 0:
        return 0.0
    return float(weights @ (log_loss(p, y) - log_loss(_chances(logits + weight * unit), y)))


def _chances(logits: Array) -> Array:
    return np.clip(0.5 * (1 + np.tanh(logits / 2)), 1e-12, 1 - 1e-12)

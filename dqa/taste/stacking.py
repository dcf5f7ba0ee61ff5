"""Whether the reward of a language-model adapter may speak beside the other features: only if it predicts better."""

from __future__ import annotations

import numpy as np

from dqa.taste.held_out import Folds, log_loss, predicted
from dqa.taste.recipe import ADAPTER, Recipe

MIN_PAIRS = 20
"""Fewer held-out decided pairs with a reward on both sides show nothing."""

ERRORS = 1.0
"""The gain must exceed this many standard errors, so that a useless reward passes one time in six at most."""


def helps(stacked: Recipe, plain: Recipe, fold: Folds | None) -> bool:
    """Whether the held-out pairs that have the reward on both sides are predicted better with it.

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
    with_it, without = (
        log_loss(predicted(each, fold, each.differences[rows, :-1], fold[rows])[0], y) for each in (stacked, plain)
    )
    shares = weights / weights.sum()
    gain = float(shares @ (without - with_it))
    return gain > ERRORS * float(np.sqrt(shares**2 @ (without - with_it - gain) ** 2))

"""How well choices are predicted that the model has not seen: the only figures worth showing.

Choices that share a prompt or a clip are held out together, whatever chain of others connects them: otherwise the
model would be tested on what it was told.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dqa.taste.bradley_terry import Array
from dqa.taste.choice import Choice
from dqa.taste.enough import speaks
from dqa.taste.recipe import Recipe
from dqa.taste.taste import CurvePoint, HeldOut

FOLDS = 5
MIN_PAIRS = 10
"""Figures from fewer decided choices would be noise; there are none then."""

CURVE_POINTS, CURVE_BLOCK = 20, 5
"""At most so many points on the learning curve, each of so many choices at least."""

BINS = 10

Folds = NDArray[np.int64]


def folds(choices: Sequence[Choice]) -> Folds | None:
    """The fold of each choice, shape (n,); None when everything hangs together and nothing can be held out.

    Groups (connected by a prompt or a clip) go to the emptiest fold, the largest first: the same choices always
    fall into the same folds.
    """
    groups = components(choices)
    sizes = np.bincount(groups) if len(groups) else np.zeros(0, dtype=np.int64)
    if len(sizes) < 2:
        return None
    fold_of, filled = np.zeros(len(sizes), dtype=np.int64), np.zeros(min(FOLDS, len(sizes)))
    for group in np.argsort(-sizes, kind="stable"):
        fold_of[group] = np.argmin(filled)
        filled[fold_of[group]] += sizes[group]
    return fold_of[groups]


def components(choices: Sequence[Choice]) -> Folds:
    """The group of each choice, shape (n,), numbered from 0: those that hang together by a prompt or a clip."""
    return _connected([_things(c) for c in choices])


def predicted(recipe: Recipe, trained: Folds, asked: Array, fold: Folds) -> tuple[Array, NDArray[np.bool_]]:
    """Each asked pair's chance, and whether a taste would speak of it, from the choices outside its fold: shape (m,).

    Args:
        recipe: of n choices.
        trained: n, the fold of each of its choices.
        asked: m x d, differences to predict.
        fold: m, the fold of each.
    """
    chances, told = np.empty(len(asked)), np.zeros(len(asked), dtype=np.bool_)
    start = recipe.fitted().mean
    for each in np.unique(fold):
        rows = fold == each
        others = trained != each
        posterior = recipe.fitted(others, start).without_last(1)
        chances[rows] = posterior.probabilities(asked[rows])
        told[rows] = speaks(posterior.known_shares(asked[rows]), recipe.different(others))
    return chances, told


def held_out(recipe: Recipe, fold: Folds | None) -> HeldOut | None:
    """The figures over all folds, choices weighing what they weigh in the fit; None below :data:`MIN_PAIRS`."""
    rows, weights = recipe.outcomes != 0.5, recipe.weights
    pairs = int(rows.sum())
    if fold is None or pairs < MIN_PAIRS:
        return None
    p, told = predicted(recipe, fold, recipe.differences[rows, :-1], fold[rows])
    y, w = recipe.outcomes[rows], weights[rows]
    return HeldOut(
        pairs=pairs,
        accuracy=float(np.average(right(p, y), weights=w)),
        brier=float(np.average((p - y) ** 2, weights=w)),
        loss=float(np.average(log_loss(p, y), weights=w)),
        ece=calibration_error(p, y, w),
        abstained=float(np.average(~told, weights=w)),
    )


def curve(recipe: Recipe) -> tuple[CurvePoint, ...]:
    """The learning curve: each block of choices predicted from those before it (the first from the prior alone)."""
    n, points = len(recipe.outcomes), list[CurvePoint]()
    block = max(CURVE_BLOCK, -(-n // CURVE_POINTS))
    start = None
    for begin in range(0, n, block):
        rows = slice(begin, min(begin + block, n))
        posterior = recipe.until(begin).fitted(start=start)
        start, y = posterior.mean, recipe.outcomes[rows]
        p = posterior.without_last(1).probabilities(recipe.differences[rows, :-1])[y != 0.5]
        y = y[y != 0.5]
        if len(y):
            accuracy, brier = float(np.mean(right(p, y))), float(np.mean((p - y) ** 2))
            points.append(CurvePoint(choices=rows.stop, pairs=len(y), accuracy=accuracy, brier=brier))
    return tuple(points)


def right(p: Array, y: Array) -> Array:
    """1 where the likelier one was chosen, 0.5 where neither was likelier."""
    return np.where(p == 0.5, 0.5, (p > 0.5) == (y > 0.5)).astype(np.float64)


def log_loss(p: Array, y: Array) -> Array:
    """Of each probability, in nats."""
    return -(y * np.log(p) + (1 - y) * np.log1p(-p))


def calibration_error(p: Array, y: Array, weights: Array) -> float:
    """Expected calibration error: how far the chances are from the shares, over ten bins of p, weighted by their
    content (Naeini et al. 2015). Both sides of a pair are counted, so that naming a clip A or B changes nothing."""
    p, y, w = np.concatenate([p, 1 - p]), np.concatenate([y, 1 - y]), np.concatenate([weights, weights])
    at = np.minimum((p * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(at, weights=w * (p - y), minlength=BINS)
    return float(np.abs(gaps).sum() / w.sum())


def _things(choice: Choice) -> set[tuple[str, str]]:
    prompts = {("prompt", p.strip().casefold()) for p in choice.prompts if p.strip()}
    return prompts | {("clip", c) for c in choice.clips if c}


def _connected(things: Sequence[set[tuple[str, str]]]) -> Folds:
    """The number of each item's connected component, in order of first appearance (union-find)."""
    parent = list(range(len(things)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    owner: dict[tuple[str, str], int] = {}
    for i, each in enumerate(things):
        for thing in sorted(each):
            parent[root(i)] = root(owner.setdefault(thing, i))
    return np.unique([root(i) for i in range(len(things))], return_inverse=True)[1].astype(np.int64)

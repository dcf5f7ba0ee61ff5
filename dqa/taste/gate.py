"""Whether a newly learned taste may replace the serving one: only if it predicts unseen choices no worse.

Both recipes are refitted without each fold and predict the same held-out pairs, each pair weighing what the serving
version gives it (a new one what the candidate does). On the new pairs the serving version is taken for guessing if that
predicts them better: otherwise a candidate that random votes have made unsure of everything would look better on
random votes. A real change of taste makes the old pairs harder too, but it can be predicted; so a candidate that
predicts the new pairs better than the serving version and than guessing may be worse on the old ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqa.taste.bradley_terry import Array
from dqa.taste.choice import Choice
from dqa.taste.held_out import Folds, folds, log_loss, predicted
from dqa.taste.prior import DEFAULT, Population
from dqa.taste.recipe import Recipe, recipe

MIN_PAIRS = 20
"""Fewer held-out decided pairs compare nothing: the candidate is promoted."""

ERRORS = 2.0
"""Worse by less than this many standard errors of the paired difference is noise."""

FLOOD = 50
"""A step with this many new choices, and no fewer than there were, turns a taste over: it must not be worse at all."""

CHANGE, CHANGE_ERRORS = 10, 1.0
"""So many new pairs at least, predicted better by more than so many standard errors, show a change of taste."""

MARGIN = 0.02
"""Worse by less than this many nats a pair matters to nobody."""

SPIKE = 1.5
"""A held-out loss of more than this many times the serving version's is rejected whatever else holds."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What was decided, and why.

    Attributes:
        promoted: whether the candidate may serve.
        reason: in words.
        candidate_loss, serving_loss: mean held-out log loss over the same pairs, in nats; None when not compared.
        pairs: how many decided pairs were held out.
    """

    promoted: bool
    reason: str
    candidate_loss: float | None = None
    serving_loss: float | None = None
    pairs: int = 0


@dataclass(frozen=True, slots=True)
class _Losses:
    """Held-out losses of m pairs under both versions, what each pair weighs, and whether it is new."""

    candidate: Array
    serving: Array
    weights: Array
    new: NDArray[np.bool_]


def gate(
    candidate: Sequence[Choice],
    serving: Sequence[Choice],
    *,
    population: Population = DEFAULT,
    adapter: bool = False,
) -> Gate:
    """Compares what would be learned from ``candidate`` with what was learned from ``serving``.

    Args:
        candidate: all choices of the new version, oldest first.
        serving: those of the serving version. A choice is in both when it has the same ``seq`` (> 0) or is the same
            object; those that the candidate lacks (they were set aside) train the serving version and test none.
        population: the prior of both.
        adapter: whether the adapter's reward may speak, in both.
    """
    if any(np.isinf(v).any() for c in candidate for v in (c.a, c.b)):
        return Gate(False, "rejected: a choice has features that are not finite")
    decided = sum(c.chosen != "tie" for c in candidate)
    fold = folds([*candidate, *serving])
    if fold is None or decided < MIN_PAIRS or not serving:
        return Gate(True, "too few choices to compare: promoted", pairs=decided)
    recipes = recipe(candidate, population, adapter), recipe(serving, population, adapter)
    known = dict(zip(map(_name, serving), map(float, recipes[1].weights), strict=True))
    weights = [known.get(_name(c), float(w)) for c, w in zip(candidate, recipes[0].weights, strict=True)]
    new = [_name(c) not in known for c in candidate]
    losses = _held_out(recipes, fold, np.array(weights), np.array(new))
    return _decision(losses)


def _name(choice: Choice) -> tuple[str, int]:
    return ("seq", choice.seq) if choice.seq else ("id", id(choice))


def _held_out(recipes: tuple[Recipe, Recipe], fold: Folds, weights: Array, new: NDArray[np.bool_]) -> _Losses:
    n = len(recipes[0].outcomes)
    rows = recipes[0].outcomes != 0.5
    asked, outcomes = recipes[0].differences[rows, :-1], recipes[0].outcomes[rows]
    candidate, serving = (
        log_loss(predicted(each, trained, asked, fold[:n][rows])[0], outcomes)
        for each, trained in zip(recipes, (fold[:n], fold[n:]), strict=True)
    )
    return _Losses(candidate, serving, weights[rows], new[rows])


def _decision(losses: _Losses) -> Gate:
    means = [float(np.average(each, weights=losses.weights)) for each in (losses.candidate, losses.serving)]
    pairs = len(losses.weights)
    if not np.isfinite(means).all():
        return Gate(False, "rejected: its held-out loss is not finite", pairs=pairs)

    def decided(promoted: bool, why: str) -> Gate:
        return Gate(promoted, why, means[0], means[1], pairs)

    compared = f"held-out loss {means[0]:.3f} against {means[1]:.3f} on {pairs} pairs"
    if means[0] > SPIKE * means[1]:
        return decided(False, f"rejected: a spike, {compared}")
    before = _least(losses)
    worse, error = _worse(losses, np.ones_like(losses.new), before)
    new, known = int(losses.new.sum()), int((~losses.new).sum())
    if worse <= (0.0 if new >= max(FLOOD, known) else max(MARGIN, ERRORS * error)):
        return decided(True, f"promoted: {compared}")
    change, error = _worse(losses, losses.new, before)
    if new >= CHANGE and change < -CHANGE_ERRORS * error:
        return decided(True, f"promoted: the {new} new choices show a change of taste; {compared}")
    return decided(False, f"rejected: worse by {worse:.3f} nats a choice than before; {compared}")


def _least(losses: _Losses) -> Array:
    """What the candidate is compared with: the serving version, or guessing on the new pairs if that is better."""
    weights = losses.weights * losses.new
    if weights @ losses.serving > weights.sum() * math.log(2):
        return np.where(losses.new, math.log(2), losses.serving)
    return losses.serving


def _worse(losses: _Losses, rows: NDArray[np.bool_], against: Array) -> tuple[float, float]:
    """Weighted mean of the candidate's loss minus another over some pairs, and its standard error; 0, 0 of none."""
    weights = losses.weights * rows
    if weights.sum() == 0:
        return 0.0, 0.0
    gaps, shares = losses.candidate - against, weights / weights.sum()
    mean = float(shares @ gaps)
    return mean, math.sqrt(float(shares**2 @ (gaps - mean) ** 2))

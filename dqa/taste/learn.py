"""One training step: from a user's choices to a taste, refitted exactly each time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dqa.taste import position
from dqa.taste.bradley_terry import Array
from dqa.taste.channel_weights import learned
from dqa.taste.choice import Choice
from dqa.taste.features import NAMES
from dqa.taste.held_out import Folds, curve, folds, held_out
from dqa.taste.history import NO_HISTORY, History
from dqa.taste.patterns import failure_patterns, winning_patterns
from dqa.taste.prior import DEFAULT, Population
from dqa.taste.recipe import Recipe, recipe
from dqa.taste.stacking import helps
from dqa.taste.style import NO_STYLE, Style
from dqa.taste.taste import Taste


def learn(
    choices: Sequence[Choice],
    version: int,
    *,
    profile: str = "embedded",
    style: Style = NO_STYLE,
    history: History = NO_HISTORY,
    population: Population = DEFAULT,
    adapter: str | None = None,
) -> Taste:
    """Fits a taste to all of a user's choices; without any it is the prior.

    Args:
        choices: of one user and profile, oldest first.
        version: of the step.
        profile: whose scores they are.
        style: what the features were read with.
        history: likewise.
        population: what is believed of a taste before; :func:`dqa.taste.prior.population` of the other users.
        adapter: the adapter whose rewards are in the features. It is named in the taste, and its reward speaks, only
            if held-out choices are predicted better with it.
    """
    fold = folds(choices)
    settled, stacked = _settled(choices, population, fold, adapter is not None)
    posterior = settled.fitted().without_last(1)
    known = posterior.known_shares(settled.differences[:, :-1])
    return Taste(
        version=version,
        profile=profile,
        style=style,
        history=history,
        choices=len(choices),
        effective_choices=float(settled.weights.sum()),
        effective_pairs=settled.different(),
        loss=posterior.loss,
        confidence=float(np.mean(known)) if len(known) else 0.0,
        typical=_typical(choices, settled.weights),
        mean=_floats(posterior.mean),
        covariance=tuple(map(_floats, posterior.covariance)),
        prior_mean=_floats(posterior.prior_mean),
        prior_precision=_floats(posterior.prior_precision),
        half_life=settled.half_life,
        patterns=tuple(pattern.sentence() for pattern in failure_patterns(choices)),
        winning_patterns=tuple(pattern.sentence() for pattern in winning_patterns(choices)),
        held_out=held_out(settled, fold),
        curve=curve(settled),
        position=position.check(choices),
        channel_weights=learned(choices, list(settled.weights)),
        adapter=adapter if stacked else None,
    )


def _settled(
    choices: Sequence[Choice], population: Population, fold: Folds | None, rewarded: bool
) -> tuple[Recipe, bool]:
    """The recipe, and whether the adapter's reward speaks in it."""
    plain = recipe(choices, population)
    if not rewarded:
        return plain, False
    stacked = recipe(choices, population, adapter=True)
    return (stacked, True) if helps(stacked, plain, fold) else (plain, False)


def _floats(values: Array) -> tuple[float, ...]:
    return tuple(map(float, values))


def _typical(choices: Sequence[Choice], weights: Array) -> tuple[float | None, ...]:
    """The mean features of the clips that were chosen between, choices weighing what they weigh in the fit."""
    if not choices:
        return (None,) * len(NAMES)
    stack, counts = np.stack([v for c in choices for v in (c.a, c.b)]), np.repeat(weights, 2)[:, None]
    known = np.isfinite(stack)
    sums, total = (counts * np.where(known, stack, 0.0)).sum(axis=0), (counts * known).sum(axis=0)
    return tuple(float(s / t) if t > 0 else None for s, t in zip(sums, total, strict=True))

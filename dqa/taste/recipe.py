"""How a taste is made from choices, with everything that has to be settled before the fit: caps, forgetting, prior.

One recipe serves the fit itself, the folds that tell how good it is, and the gate that compares two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dqa.taste.bradley_terry import Array, Posterior, fit
from dqa.taste.caps import caps, different, pairs_of
from dqa.taste.choice import Choice
from dqa.taste.features import INDEX, NAMES
from dqa.taste.prior import Population, pooled
from dqa.taste.recency import half_life, recency

SIDE_PRECISION = 4.0
"""Of the pull towards the left side, a weight of its own beside the taste's; it is not kept."""

EVIDENCE_ROUNDS, EVIDENCE_COUNT = 3, 0.25
"""Refits in which a user's own choices move the precisions, and as how many users the population's count in that."""

ADAPTER = INDEX["adapter:reward"]

_CERTAIN = 1e6


@dataclass(frozen=True, slots=True)
class Recipe:
    """Choices as numbers, and how to fit them.

    Attributes:
        differences: n x (d + 1), features of A minus B (0 where not judged on both sides), then which side A was on:
            1 left, -1 right, 0 unknown.
        outcomes: n, 1 for A, 0 for B, 0.5 for a tie.
        counts: n, how much each choice counts before anything is forgotten; oldest first.
        pairs: n, the pair of clips of each choice (:func:`dqa.taste.caps.pairs_of`).
        mean, precision: d + 1, the prior.
        half_life: in choices; None forgets nothing.
    """

    differences: Array
    outcomes: Array
    counts: Array
    pairs: NDArray[np.intp]
    mean: Array
    precision: Array
    half_life: float | None = None

    @property
    def weights(self) -> Array:
        """n, how much each choice counts now."""
        return recency(self.counts, self.half_life)

    def until(self, n: int) -> Recipe:
        """The recipe when there were only the first ``n`` choices, with what was settled later."""
        first = slice(0, n)
        return replace(
            self,
            differences=self.differences[first],
            outcomes=self.outcomes[first],
            counts=self.counts[first],
            pairs=self.pairs[first],
        )

    def different(self, rows: NDArray[np.bool_] | None = None) -> float:
        """How many different pairs the choices (of those rows) are about."""
        kept = slice(None) if rows is None else rows
        return different(self.pairs[kept], self.weights[kept])

    def fitted(self, rows: NDArray[np.bool_] | None = None, start: Array | None = None) -> Posterior:
        """The posterior over the d features and the side.

        Args:
            rows: n, bool, which choices to learn from; default all.
            start: d + 1, where to begin the search.
        """
        kept = np.ones(len(self.outcomes), dtype=np.bool_) if rows is None else rows
        data = self.differences[kept], self.outcomes[kept], self.mean, self.precision, self.weights[kept]
        return fit(*data, start)


def recipe(choices: Sequence[Choice], population: Population, adapter: bool = False) -> Recipe:
    """Settles how to fit these choices (oldest first): caps, half-life, and the prior's precisions.

    Args:
        choices: of one user and profile.
        population: what is believed before.
        adapter: whether the adapter's reward may speak.
    """
    differences, outcomes = numbers(choices)
    if not adapter:
        differences[:, ADAPTER] = 0.0
    mean, precision = _prior(population, differences[:, ADAPTER])
    draft = Recipe(differences, outcomes, caps(choices), pairs_of(choices), mean, precision)

    def refit(n: int, weights: Array) -> Posterior:
        return fit(differences[:n], outcomes[:n], mean, precision, weights)

    return _tuned(replace(draft, half_life=half_life(differences, outcomes, draft.counts, refit)))


def numbers(choices: Sequence[Choice]) -> tuple[Array, Array]:
    """Choices as differences (n x (d + 1)) and outcomes (n)."""
    if not choices:
        return np.zeros((0, len(NAMES) + 1)), np.zeros(0)
    gaps = np.stack([c.a for c in choices]) - np.stack([c.b for c in choices])
    sides = np.array([{"a": 1.0, "b": -1.0, None: 0.0}[c.left] for c in choices])
    return np.column_stack([np.nan_to_num(gaps, nan=0.0, posinf=0.0, neginf=0.0), sides]), np.array(
        [c.outcome for c in choices]
    )


def _prior(population: Population, rewards: Array) -> tuple[Array, Array]:
    """The prior's mean and precision, d + 1; the reward's are in units of its own spread over the pairs that have it.

    Without rewards its weight is 0 and all but certain: it says nothing, whatever a clip has.
    """
    mean, precision = np.append(population.mean, 0.0), np.append(population.precision, SIDE_PRECISION)
    unit = float(np.sqrt(np.mean(rewards[rewards != 0] ** 2))) if rewards.any() else 0.0
    mean[ADAPTER] = mean[ADAPTER] / unit if unit else 0.0
    precision[ADAPTER] *= unit**2 if unit else _CERTAIN
    return mean, precision


def _tuned(draft: Recipe) -> Recipe:
    """Moves the precisions to what the choices themselves say of how far this taste is from the population's.

    Expectation-maximisation of the Laplace evidence, group by group, with the population's precisions as a belief
    worth :data:`EVIDENCE_COUNT` users: few choices move nothing. The reward's precision stays: one weight can't tell
    how far weights like it lie from the mean.
    """
    before, start = draft.precision[:-1], None
    for _ in range(EVIDENCE_ROUNDS if len(draft.outcomes) else 0):
        posterior = draft.fitted(start=start)
        start = posterior.mean
        spread = ((posterior.mean - draft.mean) ** 2 + np.diag(posterior.covariance))[:-1]
        precision = pooled(spread, 1.0, before, EVIDENCE_COUNT)
        precision[ADAPTER] = before[ADAPTER]
        draft = replace(draft, precision=np.append(precision, SIDE_PRECISION))
    return draft

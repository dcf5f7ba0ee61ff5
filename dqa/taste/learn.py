"""One training step: from a user's choices to a taste, refitted exactly each time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from dqa.taste.bradley_terry import Posterior, fit
from dqa.taste.features import FEATURES_VERSION, NAMES, Vector, centred, difference
from dqa.taste.patterns import failure_patterns

PRIOR_MEAN, PRIOR_PRECISION = 0.2, 8.0
"""Before any choice: everybody likes quality a little (all weights positive). The precision is the measured best for
axis-like features (docs/design/taste.md)."""

KNOWN_ENOUGH = 0.51
"""A taste speaks when the choices have removed this share of the prior's variance (posterior / prior deviation 0.7)."""

Outcome = Literal["a", "b", "tie"]
_OUTCOMES: dict[Outcome, float] = {"a": 1.0, "b": 0.0, "tie": 0.5}


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice between two evaluated clips, as features."""

    a: Vector
    b: Vector
    chosen: Outcome


class Taste(BaseModel):
    """A fitted taste, as it is kept: plain numbers, no code.

    Attributes:
        version: number of the training step that made it.
        typical: mean features of the clips the user chose between (None: never judged).
        mean, covariance: the posterior over the weights of ``features``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    version: int
    features_version: int = FEATURES_VERSION
    features: tuple[str, ...] = NAMES
    choices: int
    loss: float | None
    confidence: float
    typical: tuple[float | None, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    patterns: tuple[str, ...]

    def posterior(self) -> Posterior:
        """The posterior behind it."""
        return Posterior(
            np.array(self.mean), np.array(self.covariance), *_prior(), choices=self.choices, loss=self.loss
        )

    def offset(self, vector: Vector) -> Vector:
        """How a clip differs from the typical one: shape (d,), 0 where either was not judged."""
        return centred(vector, [np.array([math.nan if x is None else x for x in self.typical])])


def learn(choices: Sequence[Choice], version: int) -> Taste:
    """Fits a taste to all of a user's choices (oldest first); without any it is the prior."""
    differences = np.stack([difference(c.a, c.b) for c in choices]) if choices else np.zeros((0, len(NAMES)))
    outcomes = np.array([_OUTCOMES[c.chosen] for c in choices])
    posterior = fit(differences, outcomes, *_prior())
    decided = [c for c in choices if c.chosen != "tie"]
    patterns = failure_patterns(
        [c.a if c.chosen == "a" else c.b for c in decided], [c.b if c.chosen == "a" else c.a for c in decided]
    )
    known = [posterior.known_share(d) for d in differences]
    return Taste(
        version=version,
        choices=len(choices),
        loss=posterior.loss,
        confidence=float(np.mean(known)) if known else 0.0,
        typical=_typical(choices),
        mean=tuple(map(float, posterior.mean)),
        covariance=tuple(tuple(map(float, row)) for row in posterior.covariance),
        patterns=tuple(pattern.sentence() for pattern in patterns),
    )


def _typical(choices: Sequence[Choice]) -> tuple[float | None, ...]:
    if not choices:
        return (None,) * len(NAMES)
    stack = np.stack([v for c in choices for v in (c.a, c.b)])
    return tuple(float(np.mean(column[known])) if (known := ~np.isnan(column)).any() else None for column in stack.T)


def _prior() -> tuple[Vector, Vector]:
    return np.full(len(NAMES), PRIOR_MEAN), np.full(len(NAMES), PRIOR_PRECISION)

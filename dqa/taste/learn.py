"""One training step: from a user's choices to a taste, refitted exactly each time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dqa.taste.bradley_terry import fit
from dqa.taste.choice import Choice
from dqa.taste.features import NAMES, Vector, difference
from dqa.taste.history import NO_HISTORY, History
from dqa.taste.patterns import failure_patterns
from dqa.taste.style import NO_STYLE, Style
from dqa.taste.taste import Taste

PRIOR_MEAN, PRIOR_PRECISION = 0.2, 8.0
"""Before any choice: everybody likes quality a little. The precision is the measured best for axis-like features
(docs/design/taste.md)."""


def learn(
    choices: Sequence[Choice],
    version: int,
    *,
    profile: str = "embedded",
    style: Style = NO_STYLE,
    history: History = NO_HISTORY,
) -> Taste:
    """Fits a taste to all of a user's choices (oldest first); without any it is the prior."""
    differences = np.stack([difference(c.a, c.b) for c in choices]) if choices else np.zeros((0, len(NAMES)))
    outcomes = np.array([c.outcome for c in choices])
    posterior = fit(differences, outcomes, *_prior())
    decided = [c for c in choices if c.chosen != "tie"]
    patterns = failure_patterns(
        [c.a if c.chosen == "a" else c.b for c in decided], [c.b if c.chosen == "a" else c.a for c in decided]
    )
    known = [posterior.known_share(d) for d in differences]
    return Taste(
        version=version,
        profile=profile,
        style=style,
        history=history,
        prior_mean=tuple(map(float, posterior.prior_mean)),
        prior_precision=tuple(map(float, posterior.prior_precision)),
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
    scores = [name.startswith(("channel:", "dimension:", "axis:")) for name in NAMES]
    return np.where(scores, PRIOR_MEAN, 0.0), np.full(len(NAMES), PRIOR_PRECISION)

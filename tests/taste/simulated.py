"""Small simulated users for the tests; the large ones are benchmarks/taste.py's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.taste_world import choices, population, user
from dqa.taste.bradley_terry import Posterior
from dqa.taste.choice import Choice
from dqa.taste.recipe import numbers

COMMON = population(np.random.default_rng([0, 1]))


def person(number: int) -> np.ndarray:
    """The taste of one user of the population."""
    return user(np.random.default_rng([0, 2, number]), COMMON)


def made(number: int, n: int, taste: np.ndarray | None = None, first: int = 0) -> list[Choice]:
    """Choices of a user."""
    return choices(np.random.default_rng([0, 3, number, first]), person(number) if taste is None else taste, n, first)[
        0
    ]


def accuracy(posterior: Posterior, number: int, taste: np.ndarray | None = None) -> float:
    """On 1,000 pairs that nothing has learned from, against the choice without slips."""
    rng = np.random.default_rng([0, 4, number])
    tested, better = choices(rng, person(number) if taste is None else taste, 1000, first=10_000)
    return float(np.mean((numbers(tested)[0][:, :-1] @ posterior.mean > 0) == (better > 0.5)))


def votes(number: int, n: int) -> list[Choice]:
    """Random votes of a script."""
    rng = np.random.default_rng([0, 5, number])
    drawn = made(number, n, first=30_000)
    return [
        replace(c, chosen="a" if rng.random() < 0.5 else "b", source="http", received=1000.0 + 0.05 * i)
        for i, c in enumerate(drawn)
    ]

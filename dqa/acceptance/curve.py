"""A rising curve from [0, 1] to [0, 1], kept as data: what calibrates a channel's score."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dqa.errors import InputError

Knot = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Curve:
    """Straight lines between knots. A higher score never gets a lower value, to the last bit.

    A formula would break that by rounding; between two knots ``y0 + (x - x0) * slope`` can't, each of its steps being
    monotone in floating point, and the upper knot is its limit.

    Attributes:
        knots: (score, value) pairs: scores from 0 to 1, both sides rising strictly, values in [0, 1].

    Raises:
        InputError: the knots are none of that.

    >>> Curve(((0.0, 0.1), (0.5, 0.2), (1.0, 0.8)))(0.75)
    0.5
    """

    knots: tuple[Knot, ...]

    def __post_init__(self) -> None:
        if not _rises(self.knots):
            what = "the knots do not rise from a score of 0 to one of 1 with values in [0, 1]"
            raise InputError(what, fix="fit the calibration again")

    def __call__(self, score: float) -> float:
        """The value at a score in [0, 1]."""
        if not 0.0 <= score <= 1.0:
            raise ValueError(f"a score is in [0, 1], not {score}")
        at = min(bisect_right(self.knots, score, key=lambda knot: knot[0]), len(self.knots) - 1)
        (x0, y0), (x1, y1) = self.knots[at - 1], self.knots[at]
        return min(y1, y0 + (score - x0) * ((y1 - y0) / (x1 - x0)))

    def inverse(self, value: float) -> float:
        """The score that has a value; 0 or 1 where the curve never gets there."""
        for (x0, y0), (x1, y1) in pairwise(self.knots):
            if value <= y1:
                return max(x0, x0 + (value - y0) * ((x1 - x0) / (y1 - y0)))
        return 1.0


def _rises(knots: Sequence[Knot]) -> bool:
    if len(knots) < 2 or knots[0][0] != 0.0 or knots[-1][0] != 1.0:
        return False
    rising = all(x0 < x1 and y0 < y1 for (x0, y0), (x1, y1) in pairwise(knots))  # false for NaN, too
    return rising and knots[0][1] >= 0.0 and knots[-1][1] <= 1.0

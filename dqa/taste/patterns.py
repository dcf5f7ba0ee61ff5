"""What goes with rejection, in words: which scores were lower in the rejected clip, how often, how surely."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dqa.taste.features import NAMES, Vector

MIN_GAP = 0.2
"""Centred and scaled units (0.05 of a score): smaller differences between two clips say nothing."""

MIN_CHOICES = 4
"""Fewer choices that tell a feature apart make no pattern."""

_Z90 = 1.645


@dataclass(frozen=True, slots=True)
class Pattern:
    """One feature that goes with rejection.

    Attributes:
        feature: its name (:data:`~dqa.taste.features.NAMES`).
        rejected_is: on which side of the chosen clip the rejected one lay.
        count, of: in how many of the choices that told them apart.
        low, high: 90 % Wilson interval of that share; a pattern is reported when ``low`` > 0.5.
    """

    feature: str
    rejected_is: str
    count: int
    of: int
    low: float
    high: float

    def sentence(self) -> str:
        """The pattern for an agent and a person."""
        name = self.feature.partition(":")[2].replace("_", " ")
        interval = f"90 % interval {self.low:.0%}-{self.high:.0%}"
        return f"rejected clips had {self.rejected_is} {name} in {self.count} of {self.of} choices ({interval})"


def failure_patterns(chosen: Sequence[Vector], rejected: Sequence[Vector], most: int = 8) -> tuple[Pattern, ...]:
    """The patterns over n choices, surest first.

    Args:
        chosen: n feature vectors of the chosen clips; NaN where not judged.
        rejected: n of the rejected ones, in the same order.
        most: how many to report at most.
    """
    if not chosen:
        return ()
    gaps = np.stack(rejected) - np.stack(chosen)
    found = [p for i, name in enumerate(NAMES) if (p := _pattern(name, gaps[:, i])) is not None]
    return tuple(sorted(found, key=lambda p: (-p.low, p.feature))[:most])


def _pattern(name: str, gaps: Vector) -> Pattern | None:
    lower, higher = int(np.sum(gaps <= -MIN_GAP)), int(np.sum(gaps >= MIN_GAP))
    count, of = max(lower, higher), lower + higher
    if of < MIN_CHOICES:
        return None
    low, high = wilson(count, of)
    side = "lower" if lower >= higher else "higher"
    return Pattern(name, side, count, of, low, high) if low > 0.5 else None


def wilson(count: int, of: int, z: float = _Z90) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927).

    >>> [round(x, 3) for x in wilson(8, 10)]
    [0.541, 0.931]
    """
    share = count / of
    centre = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))

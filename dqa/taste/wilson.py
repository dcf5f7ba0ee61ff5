"""Wilson's score interval: how sure a share is that was counted in few trials."""

from __future__ import annotations

import math

Z90 = 1.645
"""Deviations of a two-sided 90 % interval."""


def wilson(count: int, of: int, z: float = Z90) -> tuple[float, float]:
    """The interval of a share (Wilson 1927, "Probable inference, the law of succession, and statistical inference").

    Args:
        count: in how many trials, 0 to ``of``.
        of: trials, >= 1.
        z: how many deviations wide, to each side.

    >>> [round(x, 3) for x in wilson(8, 10)]
    [0.541, 0.931]
    """
    share = count / of
    centre = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))

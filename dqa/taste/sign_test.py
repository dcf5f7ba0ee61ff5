"""Is one side favoured? The sign test, and how many such findings to believe when many were looked for."""

from __future__ import annotations

import math
from collections.abc import Sequence

_EXACT = 100
"""Trials up to which the binomial tail is summed; beyond, the normal approximation is as good."""


def sign_test(count: int, of: int) -> float:
    """The chance of a split as uneven as ``count`` to ``of - count``, or more, when neither side is favoured.

    >>> round(sign_test(14, 16), 4)
    0.0042
    """
    larger = max(count, of - count)
    if 2 * larger == of:
        return 1.0
    if of > _EXACT:  # with the continuity correction
        return min(1.0, math.erfc((larger - 0.5 - of / 2) / math.sqrt(of / 2)))
    tail = sum(math.comb(of, k) for k in range(larger, of + 1))
    return min(1.0, 2 * tail / 2**of)


def believed(chances: Sequence[float], level: float) -> list[bool]:
    """Which findings hold when a share of at most ``level`` of those that do may be false.

    Benjamini and Hochberg, "Controlling the false discovery rate" (1995). Where nothing is favoured at
    all, ``level`` bounds the chance of any finding.

    >>> believed([0.001, 0.3, 0.02], 0.1)
    [True, False, True]
    """
    order = sorted(range(len(chances)), key=lambda i: chances[i])
    last = max((k for k, i in enumerate(order, 1) if chances[i] <= level * k / len(chances)), default=0)
    kept = set(order[:last])
    return [i in kept for i in range(len(chances))]

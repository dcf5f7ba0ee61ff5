"""When a taste knows enough to speak of a pair, and about how many more choices it takes until then.

Everything that speaks for a taste asks here: the prediction, the preference channel, the held-out figures.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dqa.taste.bradley_terry import Array

KNOWN_ENOUGH = 0.25
"""A taste speaks of a pair when the choices have removed this share of the prior's variance along it: after 30 to 40
choices of pairs like those asked about (docs/design/taste.md)."""

LEAST_PAIRS = 20.0
"""And only when so many different pairs were chosen between. A few choices tell a lot about the very pairs they were
made between and little about others: from the product's prior, a taste would be right 54 % of the time where it speaks
after 5 choices and 64 % after 10, less often than on the whole (65 and 69 %); from 20 on it is as often right."""

USUAL = 35
"""Choices after which :data:`KNOWN_ENOUGH` is reached, as a rule."""

_BELIEF = 20.0
"""As many choices as that rule counts when it is said how many more it takes."""


def speaks(known: Array, pairs: float) -> NDArray[np.bool_]:
    """Whether a taste speaks, pair by pair.

    Args:
        known: n, the share of the prior's variance that was removed along each
            (:meth:`~dqa.taste.bradley_terry.Posterior.known_shares`).
        pairs: how many different pairs were chosen between (:func:`dqa.taste.caps.different`).
    """
    return (known >= KNOWN_ENOUGH) & (pairs >= LEAST_PAIRS)


def more_choices(known: float, pairs: float) -> int:
    """About how many more choices it takes until it speaks; 0 when it does.

    The variance ratio after n choices that tell i each is ``1 / (1 + n i)``. What a choice tells is taken from those so
    far, together with the rule (:data:`USUAL`).

    >>> more_choices(0.0, 0), more_choices(0.4, 1), more_choices(0.3, 40)
    (35, 19, 0)
    """
    if speaks(np.array([known]), pairs)[0]:
        return 0
    wanted, gained = (1 / (1 - share) - 1 for share in (KNOWN_ENOUGH, min(known, KNOWN_ENOUGH)))
    each = (gained + _BELIEF * wanted / USUAL) / (pairs + _BELIEF)
    return max(1, math.ceil(LEAST_PAIRS - pairs), math.ceil((wanted - gained) / each - 1e-9))


def learning(more: int) -> str:
    """How many more, in words.

    >>> learning(1), learning(12)
    ('about 1 more choice', 'about 12 more choices')
    """
    return f"about {more} more choice{'' if more == 1 else 's'}"

"""From the probabilities of first tokens to the log-odds of yes over no.

VQAScore (Lin et al. 2024) reads P("Yes") at the first position of the answer. A model spreads that mass over surface
forms (``Yes``, `` yes``, ``YES``): they are added up on both sides before the ratio is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

_STRIPPED = " \t\r\n.,:;!?\"'`*_-▁Ġ"
_WORDS = {"yes": True, "no": False}
_ROUNDING = 1e-6
"""Probabilities in single precision sum to 1 within this: less than it is not known to be left."""


def side(token: str) -> bool | None:
    """Whether a token says yes (True), no (False) or neither.

    >>> side(" Yes"), side("NO."), side("Not"), side("▁yes")
    (True, False, None, True)
    """
    return _WORDS.get(token.strip(_STRIPPED).lower())


def log_odds(tokens: Iterable[tuple[str, float]]) -> float | None:
    """``log P(yes) - log P(no)`` from the likeliest first tokens and their log probabilities.

    A side that is not among them has at most the probability of the least likely one that is, and at most what all of
    them leave: the lesser bound stands for it, so that the ratio is never overstated, and a list that holds nothing but
    "Yes" does not pass for a tie. None when neither side is among them, or there are none. Probabilities of 0, and what
    is no number, say nothing.

    >>> round(log_odds([("Yes", -0.001)]), 1)
    6.9
    """
    given = [(text, value) for text, value in tokens if math.isfinite(value)]
    yes = _total(value for text, value in given if side(text) is True)
    no = _total(value for text, value in given if side(text) is False)
    if yes is None and no is None:
        return None
    untold = _untold([value for _, value in given])
    return (untold if yes is None else yes) - (untold if no is None else no)


def _untold(told: Sequence[float]) -> float:
    """The most that the log probability of a token can be that is not told."""
    left = 1.0 - math.fsum(math.exp(min(value, 0.0)) for value in told)
    return min(*told, math.log(max(left, _ROUNDING)))


def _total(values: Iterable[float]) -> float | None:
    """log(sum(exp(values))) of finite values; None for none."""
    found = list(values)
    if not found:
        return None
    highest = max(found)
    return highest + math.log(math.fsum(math.exp(value - highest) for value in found))

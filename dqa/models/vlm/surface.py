"""From the probabilities of first tokens to the log-odds of yes over no.

VQAScore (Lin et al. 2024) reads P("Yes") at the first position of the answer. A model spreads that mass over surface
forms (``Yes``, `` yes``, ``YES``): they are added up on both sides before the ratio is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

_STRIPPED = " \t\r\n.,:;!?\"'`*_-▁Ġ"
_WORDS = {"yes": True, "no": False}


def side(token: str) -> bool | None:
    """Whether a token says yes (True), no (False) or neither.

    >>> side(" Yes"), side("NO."), side("Not"), side("▁yes")
    (True, False, None, True)
    """
    return _WORDS.get(token.strip(_STRIPPED).lower())


def log_odds(tokens: Iterable[tuple[str, float]]) -> float | None:
    """``log P(yes) - log P(no)`` from the likeliest first tokens and their log probabilities.

    A side that is not among them has at most the probability of the least likely one that is: that bound stands for it,
    so that the ratio is never overstated. None when neither side is among them, or there are none.
    """
    given = [(text, value) for text, value in tokens if not math.isnan(value)]
    yes = _total(value for text, value in given if side(text) is True)
    no = _total(value for text, value in given if side(text) is False)
    if yes is None and no is None:
        return None
    least = min(value for _, value in given)
    return (least if yes is None else yes) - (least if no is None else no)


def _total(values: Iterable[float]) -> float | None:
    """log(sum(exp(values))); None for none."""
    found = list(values)
    if not found:
        return None
    highest = max(found)
    if highest == -math.inf:
        return None
    return highest + math.log(math.fsum(math.exp(value - highest) for value in found))

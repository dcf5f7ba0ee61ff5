"""How much a choice may count: repeats and floods are bounded, contradictions stay.

Somebody who votes on the same two clips a hundred times, or by script, says little more than the first few times.
Choices that contradict each other are all kept: together they say that it is a close call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dqa.taste.bradley_terry import Array
from dqa.taste.choice import Choice

PAIR_CAP = 3.0
"""An unordered pair of clips counts at most this much, however often it was judged."""

BURST_CAP, BURST_S = 120.0, 60.0
"""Choices that came over HTTP within any one minute count at most this much together."""


def caps(choices: Sequence[Choice]) -> Array:
    """How much each choice may count: shape (n,), in (0, 1]."""
    weights = _pairs(choices)
    return weights * _bursts(choices, weights)


def pairs_of(choices: Sequence[Choice]) -> NDArray[np.intp]:
    """The unordered pair of clips of each choice, shape (n,), numbered from 0; unknown clips are a pair apart."""
    known: dict[object, int] = {}
    keys = [tuple(sorted(c.clips)) if all(c.clips) else i for i, c in enumerate(choices)]
    return np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.intp)


def different(pairs: NDArray[np.intp], weights: Array) -> float:
    """How many different pairs some choices are about: one that was judged again is still one.

    Args:
        pairs: n, the pair of each choice (:func:`pairs_of`).
        weights: n, how much each counts.
    """
    return float(np.minimum(1.0, np.bincount(pairs, weights)).sum()) if len(pairs) else 0.0


def _pairs(choices: Sequence[Choice]) -> Array:
    keys = pairs_of(choices)
    return np.minimum(1.0, PAIR_CAP / np.bincount(keys)[keys]) if len(keys) else np.zeros(0)


def _bursts(choices: Sequence[Choice], weights: Array) -> Array:
    """So that no minute holds more than the cap: each choice is divided by the fullest minute that it lies in."""
    came = [(c.received, i) for i, c in enumerate(choices) if c.source == "http" and c.received is not None]
    order = [i for _, i in sorted(came)]
    times = np.array([choices[i].received for i in order], dtype=np.float64)
    running = np.concatenate([[0.0], np.cumsum(weights[order])])
    sums = running[np.searchsorted(times, times + BURST_S)] - running[:-1]  # of the minute that starts with each
    shares = np.ones(len(choices))
    if (sums > BURST_CAP).any():
        shares[order] = np.minimum(1.0, BURST_CAP / _fullest(times, sums))
    return shares


def _fullest(times: Array, sums: Array) -> Array:
    """The largest of the sums whose minute holds each time (a running maximum over the minute before it)."""
    fullest, window = np.empty_like(sums), deque[int]()
    for i, now in enumerate(times):
        while window and sums[window[-1]] <= sums[i]:
            window.pop()
        window.append(i)
        while times[window[0]] <= now - BURST_S:
            window.popleft()
        fullest[i] = sums[window[0]]
    return fullest

"""Which two clips to ask about next: the pair whose answer would tell most about the taste.

The information gain of an answer is the entropy of the predicted answer, less the entropy that would be left if the
taste were known (BALD; Houlsby, Huszar, Ghahramani and Lengyel 2011, "Bayesian Active Learning for Classification and
Preference Learning"). For a Gaussian margin ``f ~ N(m, s^2)`` and ``p = e + (1 - 2 e) Phi(f)`` it is, after their
approximation of the second entropy by a Gaussian, with lapses e added,

    I = h(e + (1 - 2 e) Phi(m / sqrt(1 + s^2))) - h(e) - (1 - h(e)) c / sqrt(s^2 + c^2) exp(-m^2 / (2 (s^2 + c^2)))
    c^2 = (1 - h(e)) pi ln 2 / (2 (1 - 2 e)^2)

where h is the binary entropy in bits, and c makes the second term as curved at 0 as what it stands for (at e = 0 it is
Houlsby's). A logistic margin is ``sqrt(pi / 8)`` of a probit one, as in :mod:`dqa.taste.bradley_terry`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from dqa.taste.bradley_terry import LAPSE, Array, Posterior
from dqa.taste.features import Vector, difference

SAME_PROMPT = 2.0
"""A pair of two prompts is asked about only if it tells this many times more than the best pair of one prompt.

Clips of one prompt are easier to compare, and what differs between prompts matters less: over 100 simulated users of
``benchmarks/taste_world.py`` with 4 clips of each of 25 prompts, held-out accuracy after 30 choices is 0.792 with 2,
0.776 with 1, and 0.753 with pairs at random.
"""

_CHUNK = 4096  # pairs at a time: bounds the memory at n = 200 clips, 19,900 pairs


@dataclass(frozen=True, slots=True)
class Candidate:
    """A clip that could be asked about.

    Attributes:
        id: of its evaluation.
        media: hash of its content; the same clip is never shown against itself.
        prompt: the text it was made from.
        features: shape (d,), NaN where not judged.
    """

    id: str
    media: str
    prompt: str
    features: Vector


@dataclass(frozen=True, slots=True)
class Pair:
    """Two clips to ask about.

    Attributes:
        a, b: the clips, in the order they came.
        gain: what the answer would tell, in bits, 0 to 1.
        same_prompt: whether both were made from one prompt.
        again: whether the user chose between these clips before.
    """

    a: Candidate
    b: Candidate
    gain: float
    same_prompt: bool
    again: bool


def next_pair(posterior: Posterior, clips: Sequence[Candidate], asked: Collection[frozenset[str]] = ()) -> Pair | None:
    """The pair to ask about; None when there are not two different clips. See :func:`best_pairs`."""
    return next(iter(best_pairs(posterior, clips, asked, 1)), None)


def best_pairs(
    posterior: Posterior, clips: Sequence[Candidate], asked: Collection[frozenset[str]] = (), most: int = 8
) -> list[Pair]:
    """The pairs that tell most, the best first.

    A pair of one prompt goes before any pair of two that does not tell :data:`SAME_PROMPT` times as much. A pair that
    was chosen between comes only when every pair was.

    Args:
        posterior: what is known of the taste.
        clips: n clips; two of the same media make no pair.
        asked: the pairs that were chosen between, as the ``media`` of both, in either order.
        most: how many pairs.
    """
    pairs = [(a, b) for a, b in combinations(range(len(clips)), 2) if clips[a].media != clips[b].media]
    known = set(asked)
    fresh = [(a, b) for a, b in pairs if frozenset((clips[a].media, clips[b].media)) not in known]
    asking = fresh or pairs
    if not asking:
        return []
    places = np.array(asking, dtype=np.intp)
    gains = _gains(posterior, np.stack([clip.features for clip in clips]), places)
    same = np.array([clips[a].prompt == clips[b].prompt for a, b in asking])
    order = np.argsort(-gains * np.where(same, SAME_PROMPT, 1.0), kind="stable")[:most]
    chosen = [(clips[asking[i][0]], clips[asking[i][1]], float(gains[i])) for i in map(int, order)]
    return [Pair(a, b, gain, a.prompt == b.prompt, again=not fresh) for a, b, gain in chosen]


def information(mean: Array, deviation: Array) -> Array:
    """What an answer tells, in bits, for margins of these means and standard deviations (logistic units)."""
    to_probit = math.sqrt(math.pi / 8)
    m, s2 = mean * to_probit, (deviation * to_probit) ** 2
    settled = _entropy(np.array(LAPSE))
    c2 = (1 - settled) * math.pi * math.log(2) / (2 * (1 - 2 * LAPSE) ** 2)
    marginal = LAPSE + (1 - 2 * LAPSE) * 0.5 * (1 + _erf(m / np.sqrt(2 * (1 + s2))))
    left = settled + (1 - settled) * np.sqrt(c2 / (s2 + c2)) * np.exp(-(m**2) / (2 * (s2 + c2)))
    return np.maximum(0.0, _entropy(marginal) - left)


def _gains(posterior: Posterior, features: Array, pairs: NDArray[np.intp]) -> Array:
    parts = [pairs[start : start + _CHUNK] for start in range(0, len(pairs), _CHUNK)]
    return np.concatenate([_gain(posterior, difference(features[part[:, 0]], features[part[:, 1]])) for part in parts])


def _gain(posterior: Posterior, differences: Array) -> Array:
    variance = np.einsum("ij,ij->i", differences @ posterior.covariance, differences)
    return information(differences @ posterior.mean, np.sqrt(np.maximum(0.0, variance)))


def _entropy(p: Array) -> Array:
    """Binary entropy in bits; p strictly between 0 and 1."""
    return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))


def _erf(x: Array) -> Array:
    return np.array([math.erf(value) for value in x.ravel()]).reshape(x.shape)

"""What a taste likes and dislikes, in words; and what pushes a margin, thing by thing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dqa.taste import naming
from dqa.taste.features import GROUPS, INDEX, NAMES, Vector
from dqa.taste.taste import Taste

EMBEDDING = "embedding"
"""What the embedding's features are told as: one thing, since nobody can tell them apart."""

LEANING, SURE, VERY_SURE = 1.0, 1.645, 2.576
"""Posterior deviations of a weight from 0: named, but as what it seems; named (its 90 % interval leaves 0 out); named
with its strength (its 99 % interval does)."""

STRONG = 0.8
"""Log-odds for each quarter of a score: from here on a liking is strong."""

LEARNED, MOVED = 0.2, 0.25
"""Share of a weight's prior variance that the choices must have removed, or prior deviations that they must have moved
it away from 0: else it is what others like, not this user."""

MOST = 6
"""Features named; what is shown (the embedding) may come after them, as one thing."""

_TOLD = tuple(name for group in ("scores", "look", "prompt", "style") for name in GROUPS[group])
_MADE_OF = {"channel:benchmark": "dimension:", "channel:visionreward": "axis:"}


@dataclass(frozen=True, slots=True)
class Push:
    """What one thing adds to a margin, in log-odds; ``feature`` is a feature's name, or :data:`EMBEDDING`."""

    feature: str
    value: float


@dataclass(frozen=True, slots=True)
class Liking:
    """One feature that speaks for and against clips.

    Attributes:
        like, dislike: the side of it that speaks for a clip, and the one against, in words; a trait that is there or
            not is named on one side only, and empty on the other.
        sureness: how many deviations its weight lies from 0.
        strength: how strong, as far as that is sure, to be put after the words.
    """

    like: str
    dislike: str
    sureness: float
    strength: str


def pushes(weights: Vector, gaps: Vector) -> list[Push]:
    """The parts of ``weights @ gaps`` (both of shape (d,)), the strongest first; the embedding's together are one."""
    each = weights * gaps
    shown = [INDEX[name] for name in GROUPS["embedding"]]
    found = [Push(name, float(each[i])) for i, name in enumerate(NAMES) if i not in shown]
    return sorted([*found, Push(EMBEDDING, float(each[shown].sum()))], key=lambda push: -abs(push.value))


def likings(taste: Taste | None) -> list[Liking]:
    """What pushes clips up and down for this user, the surest first; nothing for a taste that can't be used.

    A feature is named when this user's choices taught it (:data:`LEARNED`, :data:`MOVED`) and its weight leans away
    from 0 (:data:`LEANING`). A channel is left out when a part of it is named.
    """
    if taste is None or not taste.usable or not taste.choices:
        return []
    posterior = taste.posterior()
    deviation = np.sqrt(np.maximum(np.diag(posterior.covariance), 1e-12))
    learned = 1 - deviation**2 * posterior.prior_precision
    moved = np.sign(posterior.mean) * (posterior.mean - posterior.prior_mean) * np.sqrt(posterior.prior_precision)
    ratio = posterior.mean / deviation
    told = [i for i in map(INDEX.__getitem__, _TOLD) if learned[i] >= LEARNED or moved[i] >= MOVED]
    named = [NAMES[i] for i in sorted(told, key=lambda i: -abs(ratio[i])) if abs(ratio[i]) >= LEANING]
    named = [n for n in named if not any(other.startswith(_MADE_OF.get(n, "\0")) for other in named)]
    found = [_liking(n, float(posterior.mean[INDEX[n]]), float(ratio[INDEX[n]])) for n in named[:MOST]]
    return [*found, *_shown(taste)]


def likes_and_dislikes(taste: Taste | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is liked and what is disliked, in words, the surest first.

    "(it seems)" is said of what leans one way only; "(strongly)", "(clearly)" or "(a little)" where the sign is beyond
    doubt (:data:`VERY_SURE`).
    """
    found = likings(taste)
    likes = tuple(liking.like + liking.strength for liking in found if liking.like)
    dislikes = tuple(liking.dislike + liking.strength for liking in found if liking.dislike)
    return likes, dislikes


def _liking(name: str, mean: float, ratio: float) -> Liking:
    like, dislike = _sides(name, ratio > 0)
    return Liking(like, dislike, abs(ratio), _strength(abs(mean), abs(ratio)))


def _sides(name: str, positive: bool) -> tuple[str, str]:
    """What is liked and what is disliked when a weight has that sign; what is there or not is said on one side only."""
    if name.startswith(("tag:", "style:")):
        return (naming.words(name), "") if positive else ("", naming.words(name))
    liked, disliked = naming.words(name, "high"), naming.words(name, "low")
    return (liked, disliked) if positive else (disliked, liked)


def _strength(weight: float, sureness: float) -> str:
    if sureness < SURE:
        return " (it seems)"
    if sureness < VERY_SURE:
        return ""
    return " (strongly)" if weight >= STRONG else " (clearly)" if weight >= STRONG / 2 else " (a little)"


def _shown(taste: Taste) -> list[Liking]:
    """Whether what is shown matters: the embedding's weights together, by Wald's test at about 1 %."""
    posterior, at = taste.posterior(), [INDEX[name] for name in GROUPS["embedding"]]
    mean, covariance = posterior.mean[at], posterior.covariance[np.ix_(at, at)]
    if 1 - float(np.mean(np.diag(covariance) * posterior.prior_precision[at])) < LEARNED:
        return []
    distance = float(mean @ np.linalg.solve(covariance, mean))
    k = len(at)
    # Wilson and Hilferty 1931: the cube root of a chi-square over k is about normal.
    normal = ((distance / k) ** (1 / 3) - (1 - 2 / (9 * k))) / math.sqrt(2 / (9 * k))
    if normal < VERY_SURE:
        return []
    return [Liking("certain kinds of picture, by what is shown (embedding)", "", normal, "")]

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

SURE, VERY_SURE = 1.645, 2.576
"""Posterior deviations from 0 from which a weight is named (its 90 % interval leaves 0 out), and named with a strength
(its 99 % interval does)."""

STRONG = 0.8
"""Log-odds for each quarter of a score: from here on a liking is strong."""

LEARNED = 0.2
"""Share of a weight's prior variance that the choices must have removed: else it is what others like, not this user."""

_MOST = 6

_TOLD = tuple(name for group in ("scores", "look", "prompt", "style") for name in GROUPS[group])
_MADE_OF = {"channel:benchmark": "dimension:", "channel:visionreward": "axis:"}


@dataclass(frozen=True, slots=True)
class Push:
    """What one thing adds to a margin, in log-odds; ``feature`` is a feature's name, or :data:`EMBEDDING`."""

    feature: str
    value: float


def pushes(weights: Vector, gaps: Vector) -> list[Push]:
    """The parts of ``weights @ gaps`` (both of shape (d,)), the strongest first; the embedding's together are one."""
    each = weights * gaps
    shown = [INDEX[name] for name in GROUPS["embedding"]]
    found = [Push(name, float(each[i])) for i, name in enumerate(NAMES) if i not in shown]
    return sorted([*found, Push(EMBEDDING, float(each[shown].sum()))], key=lambda push: -abs(push.value))


def likes_and_dislikes(taste: Taste | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What pushes up and what pushes down for this user, the surest first; nothing for a taste that can't be used.

    A feature is named when the choices taught it (:data:`LEARNED`) and its weight is surely not 0 (:data:`SURE`);
    "strongly" and "a little" are said only where the sign is beyond doubt (:data:`VERY_SURE`). A channel is left out
    when a part of it is named.
    """
    if taste is None or not taste.usable or not taste.choices:
        return (), ()
    posterior = taste.posterior()
    deviation = np.sqrt(np.diag(posterior.covariance))
    learned = 1 - deviation**2 * posterior.prior_precision
    ratio = {n: float(posterior.mean[INDEX[n]] / deviation[INDEX[n]]) for n in _TOLD if learned[INDEX[n]] >= LEARNED}
    named = sorted((n for n, r in ratio.items() if abs(r) >= SURE), key=lambda n: (-abs(ratio[n]), n))
    named = [n for n in named if not any(other.startswith(_MADE_OF.get(n, "\0")) for other in named)]
    up: list[str] = []
    down: list[str] = []
    for name in named:
        strength = _strength(float(posterior.mean[INDEX[name]]), ratio[name])
        liked, disliked = _sides(name, ratio[name] > 0)
        up += [liked + strength] if liked else []
        down += [disliked + strength] if disliked else []
    return (*up[:_MOST], *_shown(taste)), tuple(down[:_MOST])


def _sides(name: str, positive: bool) -> tuple[str, str]:
    """What is liked and what is disliked when a weight has that sign; what is there or not is said on one side only."""
    if name.startswith(("tag:", "style:")):
        return (naming.words(name), "") if positive else ("", naming.words(name))
    liked, disliked = naming.words(name, "high"), naming.words(name, "low")
    return (liked, disliked) if positive else (disliked, liked)


def _strength(mean: float, ratio: float) -> str:
    if abs(ratio) < VERY_SURE:
        return ""
    return " (strongly)" if abs(mean) >= STRONG else " (clearly)" if abs(mean) >= STRONG / 2 else " (a little)"


def _shown(taste: Taste) -> tuple[str, ...]:
    """Whether what is shown matters: the embedding's weights together, by Wald's test at about 1 %."""
    posterior, at = taste.posterior(), [INDEX[name] for name in GROUPS["embedding"]]
    mean, covariance = posterior.mean[at], posterior.covariance[np.ix_(at, at)]
    if 1 - float(np.mean(np.diag(covariance) * posterior.prior_precision[at])) < LEARNED:
        return ()
    distance = float(mean @ np.linalg.solve(covariance, mean))
    k = len(at)
    # Wilson and Hilferty 1931: the cube root of a chi-square over k is about normal.
    normal = ((distance / k) ** (1 / 3) - (1 - 2 / (9 * k))) / math.sqrt(2 / (9 * k))
    return ("certain kinds of picture, by what is shown (embedding)",) if normal >= VERY_SURE else ()

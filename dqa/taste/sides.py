"""What a taste likes and dislikes, in words: the features that push a clip most surely up and down."""

from __future__ import annotations

from dataclasses import dataclass

from dqa.taste import naming
from dqa.taste.taste import Taste

MOST, SURE = 6, 1.0
"""Features named on each side, and how many deviations their weight must lie from 0."""

_UNTOLD = ("embedding:", "history:", "adapter:")
"""Features that say nothing to a person."""


@dataclass(frozen=True, slots=True)
class Push:
    """One feature that speaks for and against clips.

    Attributes:
        like, dislike: the side of it that speaks for a clip, and the one that speaks against it, in words.
        sureness: how many deviations its weight lies from 0.
    """

    like: str
    dislike: str
    sureness: float


def pushes(taste: Taste) -> list[Push]:
    """The features that push most surely, at most :data:`MOST`; none of a taste with other features than ours."""
    if not taste.usable:
        return []
    signals = {
        name: weight / max(1e-12, taste.covariance[i][i]) ** 0.5
        for i, (name, weight) in enumerate(zip(taste.features, taste.mean, strict=True))
        if not name.startswith(_UNTOLD)
    }
    sure = sorted((name for name in signals if abs(signals[name]) >= SURE), key=lambda name: -abs(signals[name]))
    return [_push(name, signals[name]) for name in sure[:MOST]]


def likes_and_dislikes(taste: Taste) -> tuple[list[str], list[str]]:
    """What speaks for a clip and what against it, surest first."""
    found = pushes(taste)
    return [push.like for push in found], [push.dislike for push in found]


def _push(name: str, signal: float) -> Push:
    high, low = naming.words(name, "high"), naming.words(name, "low")
    return Push(high, low, abs(signal)) if signal > 0 else Push(low, high, abs(signal))

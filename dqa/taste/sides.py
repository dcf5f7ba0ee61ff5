"""What a taste likes and dislikes, in words: the features that push a clip most surely up and down."""

from __future__ import annotations

from dqa.taste import naming
from dqa.taste.taste import Taste

MOST, SURE = 6, 1.0
"""Features named on each side, and how many deviations their weight must lie from 0."""

_UNTOLD = ("embedding:", "history:", "adapter:")
"""Features that say nothing to a person."""


def likes_and_dislikes(taste: Taste) -> tuple[list[str], list[str]]:
    """What speaks for a clip and what against it, surest first; nothing of a taste with other features than ours."""
    if not taste.usable:
        return [], []
    signals = {
        name: weight / max(1e-12, taste.covariance[i][i]) ** 0.5
        for i, (name, weight) in enumerate(zip(taste.features, taste.mean, strict=True))
        if not name.startswith(_UNTOLD)
    }
    sure = sorted((name for name in signals if abs(signals[name]) >= SURE), key=lambda name: -abs(signals[name]))
    likes = [naming.words(name, "high" if signals[name] > 0 else "low") for name in sure]
    dislikes = [naming.words(name, "low" if signals[name] > 0 else "high") for name in sure]
    return likes[:MOST], dislikes[:MOST]

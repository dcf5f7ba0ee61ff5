"""Made-up clips as they are rendered, and a user who likes motion, dislikes brightness and cares for nothing else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dqa.taste.features import INDEX, NAMES
from dqa.taste.heavy.config import Example
from dqa.taste.heavy.rendering import SCORES, TAGS, render_features, render_prompt

LIKED, DISLIKED = "axis:motion", "look:brightness"


def clip(rng: np.random.Generator, tags: tuple[str, ...] = ()) -> NDArray[np.float64]:
    """The features of a clip: scores drawn, tags as given, all else unknown."""
    values = np.full(len(NAMES), np.nan)
    values[[INDEX[name] for name in SCORES]] = rng.normal(size=len(SCORES))
    for name in TAGS:
        values[INDEX[name]] = 1.0 if name in tags else -1.0
    return values


def choices(count: int, seed: int = 0) -> list[Example]:
    """Pairs as that user decides them."""
    rng, made = np.random.default_rng(seed), list[Example]()
    for i in range(count):
        pair = sorted(
            (clip(rng, (TAGS[i % 3],)) for _ in range(2)), key=lambda c: float(c[INDEX[LIKED]] - c[INDEX[DISLIKED]])
        )
        rejected, chosen = (render_features(c) for c in pair)
        made.append(Example(prompt=render_prompt(f"a wolf, take {i}"), chosen=chosen, rejected=rejected, weight=1))
    return made

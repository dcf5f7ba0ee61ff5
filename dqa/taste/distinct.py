"""Which of several findings are the same one said again: the most specific of them stays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dqa.taste.features import INDEX, Vector

ALIKE = 0.7
"""Correlation over the clips from which two features tell the same story."""

_SPECIFIC = {"dimension": 0, "look": 0, "tag": 0, "style": 0, "prompt": 1, "axis": 1, "channel": 2}
_MADE_OF = {"channel:benchmark": ("dimension:",), "channel:visionreward": ("axis:", "look:")}


def distinct(strengths: Mapping[str, float], clips: Vector) -> set[str]:
    """The features that no more specific, or equally specific and stronger, one already speaks for.

    A channel gives way to any part of it; else two features are the same when they correlate by :data:`ALIKE` or more.

    Args:
        strengths: feature -> how strong the finding about it is.
        clips: n x d features of the clips, NaN where not judged.
    """
    kept: list[str] = []
    for name in sorted(strengths, key=lambda name: (_SPECIFIC.get(_kind(name), 3), -strengths[name], name)):
        parts = _MADE_OF.get(name, ())
        if any(other.startswith(parts) for other in kept if parts):
            continue
        if not any(abs(_correlation(clips[:, INDEX[name]], clips[:, INDEX[other]])) >= ALIKE for other in kept):
            kept.append(name)
    return set(kept)


def _kind(name: str) -> str:
    return name.partition(":")[0]


def _correlation(a: Vector, b: Vector) -> float:
    """Pearson's, over the clips for which both are known; 0 where either never varies."""
    known = ~np.isnan(a) & ~np.isnan(b)
    if known.sum() < 2:
        return 0.0
    x, y = a[known] - a[known].mean(), b[known] - b[known].mean()
    norm = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / norm if norm > 1e-12 else 0.0

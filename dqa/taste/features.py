"""An evaluation as numbers that a choice can be explained by.

Names are stable and versioned; what an evaluation could not judge is NaN, never 0. All values are scores in [0, 1]
(channels, benchmark dimensions, VisionReward axes); the model sees them centred and scaled, ``(x - 0.5) / 0.25``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from dqa.record import AxisName, ChannelName, ChannelResult

FEATURES_VERSION = 1
"""Changes whenever a name or its meaning does; a model is never used with features of another version."""

_CHANNELS: tuple[ChannelName, ...] = ("semantic", "spatial", "benchmark", "visionreward")
_AXES: tuple[AxisName, ...] = get_args(AxisName)
_DIMENSIONS = (
    "subject_consistency",
    "background_consistency",
    "temporal_flickering",
    "motion_smoothness",
    "dynamic_degree",
    "imaging_quality",
)

NAMES: tuple[str, ...] = (
    *(f"channel:{name}" for name in _CHANNELS),
    *(f"dimension:{name}" for name in _DIMENSIONS),
    *(f"axis:{name}" for name in _AXES),
)
"""The features in order; d = len(NAMES)."""

Vector = NDArray[np.float64]
"""d values, centred and scaled; NaN where the evaluation has no score."""


def features(results: Mapping[ChannelName, ChannelResult]) -> Vector:
    """The features of an evaluation's channel results: shape (d,), NaN for what was not judged."""
    values = [_score(results, name) for name in NAMES]
    raw = np.array([math.nan if value is None else value for value in values], dtype=np.float64)
    return (raw - 0.5) / 0.25


def difference(a: Vector, b: Vector) -> Vector:
    """``a - b`` with 0 where either was not judged: what is unknown on one side says nothing about the choice."""
    return np.nan_to_num(a - b, nan=0.0)


def centred(vector: Vector, typical: Sequence[Vector]) -> Vector:
    """``vector`` minus the mean of the ``typical`` ones, 0 where either side is unknown."""
    if not typical:
        return np.nan_to_num(vector, nan=0.0)
    stack = np.stack(typical)
    known = ~np.isnan(stack)
    counts = known.sum(axis=0)
    sums = np.where(known, stack, 0.0).sum(axis=0)
    mean = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return np.nan_to_num(vector - mean, nan=0.0)


def _score(results: Mapping[ChannelName, ChannelResult], name: str) -> float | None:
    group, _, part = name.partition(":")
    if group == "channel":
        return next((r.score for n, r in results.items() if n == part), None)
    if group == "dimension":
        benchmark = results.get("benchmark")
        dimension = (benchmark.dimensions or {}).get(part) if benchmark else None
        return dimension.score if dimension else None
    reward = results.get("visionreward")
    return next((axis.score for n, axis in ((reward.axes if reward else None) or {}).items() if n == part), None)

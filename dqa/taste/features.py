"""An evaluation as numbers that a choice can be explained by.

Names are stable and versioned; what an evaluation could not judge is NaN, never 0. Each feature is centred and
scaled to a comparable unit when it is read: a score x in [0, 1] becomes ``(x - 0.5) / 0.25``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from dqa.acceptance.unfitted import unfitted_axes, unfitted_score
from dqa.record import AxisName, ChannelName, ChannelResult, EvaluationRecord
from dqa.taste.history import NO_HISTORY, History
from dqa.taste.shown import EMBEDDING, Embedding, embedding, look
from dqa.taste.style import NO_STYLE, Style, matches
from dqa.taste.traits import traits

FEATURES_VERSION = 2
"""Changes whenever a name or its meaning does; a model is never used with features of another version."""

CHANNELS: tuple[ChannelName, ...] = ("semantic", "spatial", "benchmark", "visionreward")
DIMENSIONS = (
    "frame_continuity",
    "shot_integrity",
    "temporal_flickering",
    "motion_smoothness",
    "imaging_quality",
    "subject_consistency",
    "background_consistency",
    "dynamic_degree",
)
LOOKS = ("brightness", "contrast", "colourfulness", "warmth", "pace")
"""``visionreward.raw["look"]``: how the clip looks, each in [0, 1]; none is better high or low for everybody."""
TAGS = ("animation", "photoreal", "painting", "people", "animal", "nature", "city", "fantasy", "dark", "closeup")
"""What the prompt asks for, as yes (1) or no (0); see :mod:`dqa.taste.traits`."""

GROUPS: dict[str, tuple[str, ...]] = {
    "scores": (
        *(f"channel:{name}" for name in CHANNELS),
        *(f"dimension:{name}" for name in DIMENSIONS),
        *(f"axis:{name}" for name in get_args(AxisName)),
    ),
    "look": tuple(f"look:{name}" for name in LOOKS),
    "prompt": (*(f"tag:{name}" for name in TAGS), "prompt:length", "prompt:complexity"),
    "style": ("style:likes", "style:dislikes"),
    "history": ("history:success",),
    "embedding": tuple(f"embedding:{k}" for k in range(EMBEDDING)),
    "adapter": ("adapter:reward",),
}
"""The features by group; the members of a group share one prior precision."""

NAMES: tuple[str, ...] = tuple(name for group in GROUPS.values() for name in group)
"""The features in order; d = len(NAMES)."""

INDEX: dict[str, int] = {name: i for i, name in enumerate(NAMES)}

Vector = NDArray[np.float64]
"""d values, centred and scaled; NaN where the evaluation has no score."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the features of one clip are read from: its channel results and its prompt.

    Attributes:
        results: the channels' results (``preference`` is not read).
        prompt: the text the clip was made from.
        reward: implicit reward of the user's adapter, in nats; None without one.
    """

    results: Mapping[ChannelName, ChannelResult]
    prompt: str
    reward: float | None = None

    @classmethod
    def of(cls, record: EvaluationRecord, reward: float | None = None) -> Judged:
        """The clip of a record."""
        return cls(record.channels, record.prompt, reward)


def features(judged: Judged, style: Style = NO_STYLE, history: History = NO_HISTORY) -> Vector:
    """The features of a clip: shape (d,), NaN for what was not judged.

    Scores, looks, style and history are ``(x - 0.5) / 0.25`` of a value x in [0, 1]; tags are 1 or -1; embedding,
    length and complexity have about unit variance over real clips and prompts; the reward is in nats.

    Args:
        judged: the clip.
        style: what its user says they like.
        history: how earlier clips fared with this user.
    """
    found: dict[str, float | None] = {"adapter:reward": judged.reward, **traits(judged.prompt)}
    seen = look(judged.results)
    shown = comparable(judged, history)
    found.update(_scores(judged.results))
    found.update((f"look:{name}", _scaled(value)) for name, value in seen.items())
    found["style:likes"] = _scaled(matches(style.likes, judged.prompt, seen))
    found["style:dislikes"] = _scaled(matches(style.dislikes, judged.prompt, seen))
    if shown is not None:
        found["history:success"] = success_feature(history.success(shown.values))
        found.update((f"embedding:{k}", value) for k, value in enumerate(shown.values))
    return np.array([_number(found.get(name)) for name in NAMES], dtype=np.float64)


def comparable(judged: Judged, history: History) -> Embedding | None:
    """The clip's embedding, if it has one and it is of the model whose embeddings ``history`` holds."""
    shown = embedding(judged.results)
    return shown if shown is not None and history.model in (None, shown.model) else None


def success_feature(success: float | None) -> float | None:
    """``history:success`` of what :meth:`~dqa.taste.history.History.success` gives."""
    return _scaled(success)


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


def _scores(results: Mapping[ChannelName, ChannelResult]) -> Iterator[tuple[str, float | None]]:
    """Channel, dimension and axis scores, before any calibration; names that are no feature do no harm."""
    for channel, result in results.items():
        yield f"channel:{channel}", _scaled(unfitted_score(result))
    for name, dimension in (_part(results, "benchmark").dimensions or {}).items():
        yield f"dimension:{name}", _scaled(dimension.score)
    for name, score in unfitted_axes(_part(results, "visionreward")).items():
        yield f"axis:{name}", _scaled(score)


def _part(results: Mapping[ChannelName, ChannelResult], channel: ChannelName) -> ChannelResult:
    return results.get(channel) or _NOTHING


_NOTHING = ChannelResult(status="unavailable", reason="")


def _scaled(score: float | None) -> float | None:
    return None if score is None else (score - 0.5) / 0.25


def _number(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else math.nan

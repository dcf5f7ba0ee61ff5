"""VBench's leaderboard: how each dimension's number is stretched, what it weighs, and what may be called a total.

From VBench's scripts/constant.py and scripts/cal_final_score.py (Apache-2.0): (x - min) / (max - min), not clipped,
times the weight; quality and semantic are weighted means, the total is (4 quality + semantic) / 5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Part = Literal["quality", "semantic"]


@dataclass(frozen=True, slots=True)
class Row:
    """One dimension: the numbers that become 0 and 1, its weight, and the part of the total it belongs to."""

    low: float
    high: float
    weight: float
    part: Part


LEADERBOARD: dict[str, Row] = {
    "subject_consistency": Row(0.1462, 1.0, 1.0, "quality"),
    "background_consistency": Row(0.2615, 1.0, 1.0, "quality"),
    "temporal_flickering": Row(0.6293, 1.0, 1.0, "quality"),
    "motion_smoothness": Row(0.706, 0.9975, 1.0, "quality"),
    "dynamic_degree": Row(0.0, 1.0, 0.5, "quality"),
    "aesthetic_quality": Row(0.0, 1.0, 1.0, "quality"),
    "imaging_quality": Row(0.0, 1.0, 1.0, "quality"),
    "object_class": Row(0.0, 1.0, 1.0, "semantic"),
    "multiple_objects": Row(0.0, 1.0, 1.0, "semantic"),
    "human_action": Row(0.0, 1.0, 1.0, "semantic"),
    "color": Row(0.0, 1.0, 1.0, "semantic"),
    "spatial_relationship": Row(0.0, 1.0, 1.0, "semantic"),
    "scene": Row(0.0, 0.8222, 1.0, "semantic"),
    "appearance_style": Row(0.0009, 0.2855, 1.0, "semantic"),
    "temporal_style": Row(0.0, 0.364, 1.0, "semantic"),
    "overall_consistency": Row(0.0, 0.364, 1.0, "semantic"),
}

QUALITY: tuple[str, ...] = tuple(name for name, row in LEADERBOARD.items() if row.part == "quality")


@dataclass(frozen=True, slots=True)
class Standing:
    """The weighted mean of the dimensions of one part that are there.

    Attributes:
        mean: of their normalised numbers, by weight; None when there is none.
        weight, of: the weights that are there, and those of the whole part.
        missing: the dimensions that are not.
    """

    mean: float | None
    weight: float
    of: float
    missing: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether the mean is the leaderboard's."""
        return not self.missing


def normalised(name: str, value: float) -> float:
    """A dimension's number on the leaderboard's scale, not clipped.

    >>> round(normalised("subject_consistency", 0.9573), 4)
    0.95
    """
    row = LEADERBOARD[name]
    return (value - row.low) / (row.high - row.low)


def standing(values: Mapping[str, float], part: Part = "quality") -> Standing:
    """What the numbers of a part come to, and which of its dimensions lack one.

    Args:
        values: VBench's numbers by dimension; those of the other part are not looked at.
    """
    rows = {name: row for name, row in LEADERBOARD.items() if row.part == part}
    here = [name for name in rows if name in values]
    weight = math.fsum(rows[name].weight for name in here)
    total = math.fsum(rows[name].weight * normalised(name, values[name]) for name in here)
    missing = tuple(name for name in rows if name not in values)
    whole = math.fsum(row.weight for row in rows.values())
    return Standing(total / weight if weight else None, weight, whole, missing)


def total(values: Mapping[str, float]) -> float | None:
    """The leaderboard's total; None unless all 16 dimensions are there: of fewer it is another number."""
    quality, semantic = standing(values, "quality"), standing(values, "semantic")
    if quality.mean is None or semantic.mean is None or not (quality.complete and semantic.complete):
        return None
    return (4 * quality.mean + semantic.mean) / 5

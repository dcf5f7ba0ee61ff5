"""From answers to axes to a score: the weighted means that a checklist's weights enter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dqa.channels.visionreward.axes import AXES
from dqa.channels.visionreward.checklist import Checklist, Question
from dqa.record import AxisName

Weighed = tuple[Question, float, float]
"""A question, P(yes) to it, and what it weighs here: by how likely what it asks about is there at all."""


def weighed(
    name: AxisName, items: Checklist, p_yes: Sequence[float | None], present: Mapping[str, float]
) -> list[Weighed]:
    """The answered questions of one axis."""
    return [
        (question, p, question.weight * (present[question.gate] if question.gate else 1.0))
        for question, p in zip(items.questions, p_yes, strict=True)
        if question.axis == name and p is not None
    ]


def mean(found: Sequence[Weighed]) -> float | None:
    """An axis: mean of P(yes) by weight; None when nothing weighs."""
    total = sum(weight for _, _, weight in found)
    return min(1.0, sum(p * weight for _, p, weight in found) / total) if total else None


def folded(scored: Mapping[AxisName, float]) -> float:
    """The channel's score: the mean of the axes by the mission's weights."""
    total = sum(AXES[name][0] for name in scored)
    return sum(AXES[name][0] * score for name, score in scored.items()) / total


def axis_scores(items: Checklist, p_yes: Sequence[float | None], present: Mapping[str, float]) -> dict[AxisName, float]:
    """The axes that could be judged."""
    found: dict[AxisName, float | None] = {name: mean(weighed(name, items, p_yes, present)) for name in AXES}
    return {name: score for name, score in found.items() if score is not None}

"""From channel results to a verdict: effective weights, adherence, final score, grade, action.

``final = sum(w_i * score_i)`` with the mission's weights (or a user's own, :mod:`dqa.taste.channel_weights`), over the
channels that have a score: each weight is scaled by the channel's confidence, then all are renormalised to sum to 1. A
missing score is left out, never 0.

When semantic and spatial disagree (a vision-language model that hallucinates is sure of what is not there), spatial
weighs more. With ``d = semantic - spatial`` the share ``w_semantic / 2 * max(0, 1 - 0.3 / |d|)`` moves from semantic
to spatial. Written that way, ``final`` stays continuous and rises with every score: the moved part contributes
``-w/2 * (|d| - 0.3) * sign(d)``, whose slope in ``semantic`` is at most ``w/2`` and so never outweighs ``w``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from dqa.record import Action, ChannelName, ChannelResult, Grade

WEIGHTS: dict[ChannelName, float] = {
    "semantic": 0.25,
    "spatial": 0.15,
    "benchmark": 0.20,
    "preference": 0.25,
    "visionreward": 0.15,
}
"""Final weight of each channel (mission 1.1)."""

GRADES: tuple[tuple[float, Grade, Action], ...] = (
    (0.90, "A", "accept"),
    (0.80, "A-", "accept"),
    (0.70, "B+", "accept"),
    (0.60, "B", "accept"),
    (0.50, "B-", "review"),
    (0.40, "C", "refine"),
    (0.00, "F", "reject"),
)
"""Lowest final score of a grade, the grade, what to do with the clip (mission 1.2); best first."""

ADHERENCE: tuple[ChannelName, ...] = ("semantic", "spatial", "benchmark")
"""The channels of prompt adherence."""

DIVERGENCE = 0.3
"""Semantic and spatial further apart than this disagree."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the scores come to. ``final`` and ``grade`` are None when no channel has a score."""

    weights: dict[ChannelName, float]
    prompt_adherence: float | None
    final: float | None
    grade: Grade | None
    action: Action
    notes: tuple[str, ...]


def synthesise(results: Mapping[ChannelName, ChannelResult], weights: Mapping[ChannelName, float] = WEIGHTS) -> Verdict:
    """Weighs the channels (mission 1.2, with what the module's text adds).

    Args:
        results: any subset of the five channels; one without a score is left out, and named in the notes.
        weights: of all five channels, each > 0.
    """
    scores: dict[ChannelName, float] = {n: r.score for n, r in results.items() if r.score is not None}
    notes = [f"{name} is left out: {_why(results[name])}" for name in results if name not in scores]
    effective = effective_weights(scores, {n: _confidence(results[n]) for n in scores}, weights)
    if divergence(scores):
        apart = f"semantic ({scores['semantic']:.2f}) and spatial ({scores['spatial']:.2f})"
        notes.append(f"{apart} disagree, so spatial weighs more")
    final = weighted_mean(scores, effective)
    adherence = None
    if "semantic" in scores or "spatial" in scores:
        adherence = weighted_mean({n: scores[n] for n in ADHERENCE if n in scores}, effective)
    if final is None:
        return Verdict({}, None, None, None, "review", tuple(notes))
    grade, action = grade_of(final)
    if adherence is None:
        notes.append("adherence to the prompt was not judged, so the clip can't be accepted on quality alone")
        action = "review" if action == "accept" else action
    if any(result.raw.get("judge_tamper_suspected") is True for result in results.values()):
        notes.append("text meant for the judge is suspected in the prompt or the picture, so a person should look")
        action = "review" if action == "accept" else action
    return Verdict(effective, adherence, final, grade, action, tuple(notes))


def effective_weights(
    scores: Mapping[ChannelName, float],
    confidences: Mapping[ChannelName, float],
    base: Mapping[ChannelName, float] = WEIGHTS,
) -> dict[ChannelName, float]:
    """The weights that ``final`` uses: non-negative, summing to 1 over the channels with a score."""
    scaled: dict[ChannelName, float] = {n: base[n] * confidences[n] for n in scores}
    if not math.fsum(scaled.values()):  # nobody is sure of anything: the plain weights are the only guide left
        scaled = {n: base[n] for n in scores}
    total = math.fsum(scaled.values())
    weights: dict[ChannelName, float] = {n: w / total for n, w in scaled.items()}
    if excess := divergence(scores):
        apart = abs(scores["semantic"] - scores["spatial"])
        moved = weights["semantic"] / 2 * excess / apart
        weights["semantic"] -= moved
        weights["spatial"] += moved
    return weights


def divergence(scores: Mapping[ChannelName, float]) -> float:
    """By how much semantic and spatial are further apart than :data:`DIVERGENCE`; else, or with one missing, 0."""
    if "semantic" not in scores or "spatial" not in scores:
        return 0.0
    return max(0.0, abs(scores["semantic"] - scores["spatial"]) - DIVERGENCE)


def weighted_mean(scores: Mapping[ChannelName, float], weights: Mapping[ChannelName, float]) -> float | None:
    """Mean of ``scores`` by ``weights``, renormalised over them; None for no scores.

    Kept within the scores' own range: rounding must not push ten scores of 0.9 below the edge of a grade.
    """
    if not scores:
        return None
    total = math.fsum(weights[n] for n in scores)
    if not total:
        return math.fsum(scores.values()) / len(scores)
    mean = math.fsum(weights[n] * s for n, s in scores.items()) / total
    return min(max(mean, min(scores.values())), max(scores.values()))


def grade_of(final: float) -> tuple[Grade, Action]:
    """Grade and action of a final score in [0, 1].

    >>> grade_of(0.9), grade_of(0.5999)
    (('A', 'accept'), ('B-', 'review'))
    """
    for lowest, grade, action in GRADES:
        if final >= lowest:
            return grade, action
    raise ValueError(f"a final score is in [0, 1], not {final}")


def final_text(final: float) -> str:
    """A final score for the eye: two decimals, cut and not rounded, so that it never stands above its grade.

    >>> final_text(0.8965), final_text(0.9), final_text(1e-7)
    ('0.89', '0.90', '0.00')
    """
    return str(Decimal(str(final)).quantize(Decimal("0.01"), ROUND_DOWN))


def _confidence(result: ChannelResult) -> float:
    return 1.0 if result.confidence is None else result.confidence


def _why(result: ChannelResult) -> str:
    return f"{result.status}, {result.reason.rstrip('.')}" if result.reason else result.status

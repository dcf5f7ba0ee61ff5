"""Synthesis: the mission's weights and grades, and what must hold for any scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from dqa.record import ChannelName, ChannelResult
from dqa.synthesis import ADHERENCE, WEIGHTS, effective_weights, grade_of, synthesise
from dqa.taste.channel_weights import bounded
from dqa.taste.features import CHANNELS

units = st.floats(0, 1)
NAMES: list[ChannelName] = list(WEIGHTS)


def result(score: float | None, confidence: float | None = None) -> ChannelResult:
    status = "ok" if score is not None else "abstained"
    return ChannelResult(status=status, score=score, confidence=confidence, reason="measured")


@st.composite
def all_results(draw: st.DrawFn) -> dict[ChannelName, ChannelResult]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    return {n: result(draw(st.none() | units), draw(st.none() | units)) for n in names}


def full(**scores: float) -> dict[ChannelName, ChannelResult]:
    return {n: result(scores.get(n, 0.5)) for n in NAMES}


def test_the_plain_formula_with_all_five_scores() -> None:
    scores = dict(zip(NAMES, [0.9, 0.8, 0.7, 0.6, 0.5], strict=True))
    verdict = synthesise({n: result(s) for n, s in scores.items()})
    assert verdict.final == pytest.approx(sum(WEIGHTS[n] * s for n, s in scores.items()))
    assert verdict.weights == pytest.approx(WEIGHTS)


def test_adherence_is_the_same_weights_over_three_channels() -> None:
    verdict = synthesise(full(semantic=0.9, spatial=0.8, benchmark=0.4))
    assert verdict.prompt_adherence == pytest.approx((0.25 * 0.9 + 0.15 * 0.8 + 0.20 * 0.4) / 0.60)


@pytest.mark.parametrize(
    ("final", "grade", "action"),
    [
        (1.0, "A", "accept"), (0.9, "A", "accept"), (math.nextafter(0.9, 0), "A-", "accept"), (0.8, "A-", "accept"),
        (math.nextafter(0.8, 0), "B+", "accept"), (0.7, "B+", "accept"), (math.nextafter(0.7, 0), "B", "accept"),
        (0.6, "B", "accept"), (math.nextafter(0.6, 0), "B-", "review"), (0.5, "B-", "review"),
        (math.nextafter(0.5, 0), "C", "refine"), (0.4, "C", "refine"), (math.nextafter(0.4, 0), "F", "reject"),
        (0.0, "F", "reject"),
    ],
)  # fmt: skip
def test_grade_edges(final: float, grade: str, action: str) -> None:
    assert grade_of(final) == (grade, action)


@given(score=units, names=st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
def test_equal_scores_give_that_score_exactly(score: float, names: list[ChannelName]) -> None:
    assert synthesise({n: result(score, 0.3) for n in names}).final == score


@given(all_results())
def test_weights_sum_to_one_over_the_channels_with_a_score(results: dict[ChannelName, ChannelResult]) -> None:
    verdict = synthesise(results)
    scored = {n for n, r in results.items() if r.score is not None}
    assert set(verdict.weights) == scored
    if scored:
        assert math.fsum(verdict.weights.values()) == pytest.approx(1)
        assert all(0 <= w <= 1 for w in verdict.weights.values())
        total = math.fsum(verdict.weights[n] * (results[n].score or 0.0) for n in scored)
        assert verdict.final == pytest.approx(total, abs=1e-12)
    else:
        assert verdict.final is None
        assert verdict.grade is None


@given(results=all_results(), name=st.sampled_from(NAMES), better=units)
def test_final_and_adherence_never_fall_when_a_score_rises(
    results: dict[ChannelName, ChannelResult], name: ChannelName, better: float
) -> None:
    before = results.get(name)
    if before is None or before.score is None:
        return
    low, high = sorted((before.score, better))
    lower = synthesise({**results, name: result(low, before.confidence)})
    higher = synthesise({**results, name: result(high, before.confidence)})
    assert (higher.final or 0) >= (lower.final or 0) - 1e-12
    if name in ADHERENCE and lower.prompt_adherence is not None and higher.prompt_adherence is not None:
        assert higher.prompt_adherence >= lower.prompt_adherence - 1e-12


@st.composite
def own_weights(draw: st.DrawFn) -> dict[ChannelName, float]:
    """Weights that a user's choices may teach: within the bounds, with the mission's sum."""
    found = bounded(np.array(draw(st.lists(st.floats(-1, 2), min_size=len(CHANNELS), max_size=len(CHANNELS)))))
    return {**WEIGHTS, **dict(zip(CHANNELS, map(float, found), strict=True))}


@settings(deadline=None)
@given(results=all_results(), name=st.sampled_from(NAMES), better=units, weights=own_weights())
def test_with_a_user_s_own_weights_a_rising_score_never_costs_anything_either(
    results: dict[ChannelName, ChannelResult], name: ChannelName, better: float, weights: dict[ChannelName, float]
) -> None:
    before = results.get(name)
    if before is None or before.score is None:
        return
    low, high = sorted((before.score, better))
    lower = synthesise({**results, name: result(low, before.confidence)}, weights)
    higher = synthesise({**results, name: result(high, before.confidence)}, weights)
    assert (higher.final or 0) >= (lower.final or 0) - 1e-12
    if name in ADHERENCE and lower.prompt_adherence is not None and higher.prompt_adherence is not None:
        assert higher.prompt_adherence >= lower.prompt_adherence - 1e-12
    assert math.fsum(lower.weights.values()) == pytest.approx(1)
    assert all(0 <= weight <= 1 for weight in lower.weights.values())


@settings(deadline=None)
@given(weights=own_weights(), score=units)
def test_own_weights_move_the_verdict_within_bounds(weights: dict[ChannelName, float], score: float) -> None:
    assert synthesise({n: result(score) for n in NAMES}, weights).final == score
    scores = dict(zip(NAMES, [0.9, 0.7, 0.8, 0.6, 0.65], strict=True))
    final = synthesise({n: result(s) for n, s in scores.items()}, weights).final
    assert final == pytest.approx(sum(weights[n] * s for n, s in scores.items()))


@given(results=all_results(), name=st.sampled_from(NAMES))
def test_a_channel_without_a_score_changes_no_number_and_is_named(
    results: dict[ChannelName, ChannelResult], name: ChannelName
) -> None:
    absent = {**results, name: result(None)}
    without = {n: r for n, r in results.items() if n != name}
    assert synthesise(absent).final == synthesise(without).final
    assert any(note.startswith(f"{name} is left out") for note in synthesise(absent).notes)


@pytest.mark.parametrize(("semantic", "spatial"), [(0.95, 0.2), (0.2, 0.95)])
def test_spatial_weighs_more_when_the_two_disagree(semantic: float, spatial: float) -> None:
    verdict = synthesise(full(semantic=semantic, spatial=spatial))
    assert verdict.weights["spatial"] > WEIGHTS["spatial"]
    assert verdict.weights["semantic"] < WEIGHTS["semantic"]
    assert any("disagree" in note for note in verdict.notes)


def test_small_disagreement_moves_no_weight() -> None:
    assert effective_weights({"semantic": 0.8, "spatial": 0.51}, {"semantic": 1, "spatial": 1}) == pytest.approx(
        {"semantic": 0.625, "spatial": 0.375}
    )


def test_less_confidence_weighs_less() -> None:
    sure, unsure = full(), full()
    unsure["semantic"] = result(0.5, 0.2)
    assert synthesise(unsure).weights["semantic"] < synthesise(sure).weights["semantic"]


@pytest.mark.parametrize("quality", [0.95, 0.75, 0.55, 0.45, 0.2])
def test_quality_alone_is_never_accepted(quality: float) -> None:
    verdict = synthesise({"benchmark": result(quality), "visionreward": result(quality), "semantic": result(None)})
    assert verdict.prompt_adherence is None
    assert verdict.action == {"accept": "review"}.get(grade_of(quality)[1], grade_of(quality)[1])
    assert any("not judged" in note for note in verdict.notes)


def test_a_verdict_on_a_tampered_judge_is_for_a_person_to_look_at() -> None:
    def results(suspected: bool) -> dict[ChannelName, ChannelResult]:
        raw: dict[str, JsonValue] = {"judge_tamper_suspected": suspected}
        return {"semantic": ChannelResult(status="ok", score=0.95, confidence=0.8, reason="", raw=raw)}

    assert synthesise(results(False)).action == "accept"
    tampered = synthesise(results(True))
    assert (tampered.action, tampered.grade) == ("review", "A")
    assert any("a person should look" in note for note in tampered.notes)

"""The reasoning names the verdict, the strongest and weakest evidence, and what was not judged."""

from __future__ import annotations

import re

from dqa.reasoning import advice, reasoning
from dqa.record import Axis, ChannelName, ChannelResult, Dimension
from dqa.synthesis import synthesise


def results(**changes: ChannelResult) -> dict[ChannelName, ChannelResult]:
    base: dict[ChannelName, ChannelResult] = {
        "semantic": ChannelResult(status="ok", score=0.8, reason="The frames look like a wolf."),
        "spatial": ChannelResult(
            status="ok",
            score=0.5,
            reason="One of two found.",
            raw={"entities": [{"name": "wolf", "found": True}, {"name": "moon", "found": False}]},
        ),
        "benchmark": ChannelResult(
            status="ok",
            score=0.6,
            reason="Mostly fine.",
            dimensions={
                "motion_smoothness": Dimension(score=0.31, raw=0.97, status="ok", reason="12 % of frames repeat"),
                "imaging_quality": Dimension(score=0.93, raw=0.9, status="ok", reason="sharp and clean"),
                "dynamic_degree": Dimension(score=None, raw=None, status="abstained", reason="one frame"),
            },
        ),
        "visionreward": ChannelResult(
            status="ok",
            score=0.7,
            reason="",
            axes={
                "motion": Axis(score=0.4, reason="little moves", advice="motion low -> reduce prompt complexity"),
                "aesthetic": Axis(score=0.9, reason="good contrast", advice=""),
            },
        ),
        "preference": ChannelResult(status="unavailable", reason="No choices."),
    }
    return {**base, **changes}  # type: ignore[dict-item]


def test_it_names_the_strongest_and_the_weakest_evidence_with_their_measurement() -> None:
    found = results()
    text = reasoning(found, synthesise(found))
    assert "Strongest evidence: imaging quality 0.93 (sharp and clean)" in text
    assert "Weakest evidence: motion smoothness 0.31 (12 % of frames repeat)" in text
    assert "Not judged: preference (unavailable)." in text
    assert 2 <= len(re.findall(r"[.)] (?=[A-Z])|\.$", text)) <= 4


def test_it_says_when_adherence_was_not_judged() -> None:
    out = ChannelResult(status="abstained", reason="The prompt's concepts are outside what it can see.")
    found = results(semantic=out, spatial=out)
    text = reasoning(found, synthesise(found))
    told = "Adherence to the prompt was not judged; no score from semantic (abstained), spatial (abstained)"
    assert told in text
    assert 2 <= len(re.findall(r"[.)] (?=[A-Z])|\.$", text)) <= 4


def test_it_says_when_nothing_was_judged() -> None:
    out = ChannelResult(status="failed", reason="x")
    found: dict[ChannelName, ChannelResult] = {"semantic": out, "benchmark": out}
    assert reasoning(found, synthesise(found)).startswith("No channel could judge this clip")


def test_advice_lists_what_was_not_found_and_each_axis_advice_once() -> None:
    given = advice(results())
    assert given[0].startswith("Not found in the picture: moon")
    assert given[1:] == ("motion low -> reduce prompt complexity",)


def test_the_score_never_stands_above_its_grade() -> None:
    told = ChannelResult(status="ok", score=0.8965, reason="The frames look like a wolf.")
    verdict = synthesise({"semantic": told})
    assert reasoning({"semantic": told}, verdict).startswith("Grade A- (0.89): ")

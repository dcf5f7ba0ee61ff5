"""A record keeps every bit through JSON, and refuses what the contract does not allow."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dqa.record import SCHEMA, ChannelResult, EvaluationRecord, Media, Reproduce

KEYS = {
    "schema", "id", "created", "prompt", "user", "profile", "media", "channels", "weights", "prompt_adherence", "final",
    "grade", "action", "reasoning", "advice", "notes", "reproduce", "timings_s", "memory",
}  # fmt: skip

text = st.text(st.characters(exclude_categories=["Cs"]))


def record(prompt: str = "a wolf", score: float | None = 0.5) -> EvaluationRecord:
    channel = ChannelResult(status="ok" if score is not None else "abstained", score=score, reason="r", raw={"x": 0.1})
    return EvaluationRecord(
        id="ev_1",
        created="2026-01-01T00:00:00Z",
        prompt=prompt,
        user="u",
        profile="embedded",
        media=Media(
            sha256="0" * 64, kind="video", width=2, height=2, fps=8.0, frames=3, duration_s=0.25, corrupt_packets=0
        ),
        channels={"semantic": channel},
        weights={"semantic": 1.0} if score is not None else {},
        prompt_adherence=score,
        final=score,
        grade="B-" if score is not None else None,
        action="review",
        reasoning="r",
        advice=(),
        notes=(),
        reproduce=Reproduce(
            dqa_version="0",
            media="clip.mp4",
            sha256="0" * 64,
            prompt=prompt,
            user="u",
            profile="embedded",
            profile_sha256="0" * 64,
            channels=("semantic",),
            seed=0,
        ),
        timings_s={"total": 0.1},
        memory={},
    )


@given(prompt=text, score=st.none() | st.floats(0, 1))
def test_json_round_trip_is_exact(prompt: str, score: float | None) -> None:
    original = record(prompt, score)
    assert EvaluationRecord.from_json(original.to_json()) == original


def test_the_keys_are_the_contract_s() -> None:
    data = json.loads(record().to_json())
    assert set(data) == KEYS
    assert data["schema"] == SCHEMA == "dqa.evaluation/1"
    assert set(data["media"]) == {
        "sha256", "kind", "width", "height", "fps", "frames", "duration_s", "corrupt_packets",
    }  # fmt: skip
    assert set(data["channels"]["semantic"]) == {"status", "score", "confidence", "reason", "evidence", "model", "raw"}


@pytest.mark.parametrize("score", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_score_outside_its_range_is_refused(score: float) -> None:
    with pytest.raises(ValidationError):
        ChannelResult(status="ok", score=score, reason="")


def test_unknown_keys_are_refused() -> None:
    data = json.loads(record().to_json()) | {"surprise": 1}
    with pytest.raises(ValidationError):
        EvaluationRecord.from_json(json.dumps(data))

"""What DQA writes into blocks: its own keys, in either form, and nothing else."""

from __future__ import annotations

import json

import pytest

from dqa.agenthost import blocks
from dqa.agenthost.views import MAX_PATTERNS, render

STEP = {
    "training_step": 2,
    "loss": 0.51234,
    "model_confidence": 0.123456,
    "choices_seen": 9,
    "patterns": [f"p{i}" for i in range(30)],
    "loss_trend": [0.7, 0.6, None, 0.51234],
}


@pytest.mark.parametrize("form", ["lines", "json"])
def test_only_our_keys_change(form: blocks.Form) -> None:
    text = blocks.first_text(form, {"MAX_RETRIES": 3, "FAILURE_PATTERNS": ["old"], "MINE": "x"})
    after, keys = render("quality_standards", text, STEP)
    block = blocks.parse(after)
    assert block.form == form
    assert keys == ["FAILURE_PATTERNS", "MODEL_CONFIDENCE", "LOSS_TREND"]
    assert blocks.value(block, "FAILURE_PATTERNS") == [f"p{i}" for i in range(MAX_PATTERNS)]
    assert blocks.value(block, "MODEL_CONFIDENCE") == 0.123
    assert (blocks.value(block, "MAX_RETRIES"), blocks.value(block, "MINE")) == (3, "x")
    assert render("quality_standards", after, STEP)[0] == after, "writing twice changes nothing"


def test_an_older_name_of_the_key_is_kept() -> None:
    after, keys = render("quality_standards", "FAILURE_PATTERNS_TO_AVOID: a, b\n", STEP)
    assert keys[0] == "FAILURE_PATTERNS_TO_AVOID"
    assert "FAILURE_PATTERNS:" not in after


def test_metrics_go_to_session_state() -> None:
    after, keys = render("session_state", "{}", STEP)
    assert keys == ["TRAINING_METRICS"]
    assert json.loads(after)["TRAINING_METRICS"] == {
        "training_step": 2,
        "loss": 0.512,
        "model_confidence": 0.123,
        "choices_seen": 9,
    }


def test_before_the_first_step_and_in_other_blocks_nothing_is_written() -> None:
    assert render("quality_standards", "A: 1", None) == ("A: 1", [])
    assert render("production_queue", "A: 1", STEP) == ("A: 1", [])


def test_a_broken_block_is_not_touched() -> None:
    with pytest.raises(blocks.BlockError):
        render("quality_standards", '{"A": ', STEP)

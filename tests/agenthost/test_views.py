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


def test_what_is_new_comes_first_and_the_rest_in_order_of_strength() -> None:
    step = {**STEP, "patterns": ["strong", "weak", "new", "newer"], "new_patterns": ["newer", "new", "gone"]}
    after, _ = render("quality_standards", "", step)
    assert blocks.value(blocks.parse(after), "FAILURE_PATTERNS") == ["new", "newer", "strong", "weak"]


def test_held_out_accuracy_is_among_the_metrics_once_it_is_known() -> None:
    held_out = {"pairs": 31, "accuracy": 0.7419, "brier": 0.2}
    after, _ = render("session_state", "{}", {**STEP, "held_out": held_out})
    metrics = json.loads(after)["TRAINING_METRICS"]
    assert (metrics["held_out_accuracy"], metrics["held_out_pairs"]) == (0.742, 31)
    after, _ = render("session_state", "{}", {**STEP, "held_out": None})
    assert "held_out_accuracy" not in json.loads(after)["TRAINING_METRICS"]


@pytest.mark.parametrize("form", ["lines", "json"])
def test_winning_patterns_are_the_only_key_that_changes_in_ab_testing(form: blocks.Form) -> None:
    selections = [{"test_id": "t", "chosen": "v1", "rejected": "v2"}]
    text = blocks.first_text(form, {"USER_SELECTIONS": selections, "WINNING_PATTERNS": [], "MINE": "x"})
    after, keys = render("ab_testing", text, {**STEP, "winning_patterns": [f"w{i}" for i in range(30)], "serving": 2})
    assert keys == ["WINNING_PATTERNS"]
    block = blocks.parse(after)
    assert blocks.value(block, "WINNING_PATTERNS") == [f"w{i}" for i in range(MAX_PATTERNS)]
    assert (blocks.value(block, "USER_SELECTIONS"), blocks.value(block, "MINE")) == (selections, "x")


def test_winning_patterns_of_people_stand_until_some_were_learned_and_a_reset_takes_ours_back() -> None:
    theirs = "WINNING_PATTERNS: slow pans, warm light\n"
    assert render("ab_testing", theirs, {**STEP, "winning_patterns": [], "serving": 2}) == (theirs, [])
    after, keys = render(
        "ab_testing", 'WINNING_PATTERNS: ["ours"]\n', {**STEP, "winning_patterns": [], "serving": None}
    )
    assert (after, keys) == ("WINNING_PATTERNS: []\n", ["WINNING_PATTERNS"])
    assert render("ab_testing", "A: 1\n", {**STEP, "winning_patterns": [], "serving": None}) == ("A: 1\n", [])


def test_before_the_first_step_and_in_other_blocks_nothing_is_written() -> None:
    assert render("quality_standards", "A: 1", None) == ("A: 1", [])
    assert render("production_queue", "A: 1", STEP) == ("A: 1", [])


def test_a_broken_block_is_not_touched() -> None:
    with pytest.raises(blocks.BlockError):
        render("quality_standards", '{"A": ', STEP)

"""The Tuner's tools against a worker and a host in memory: choices in, patterns and metrics out."""

from __future__ import annotations

import json
from typing import Any

import httpx

from dqa.agenthost.views import render
from tests.agenthost.world import AGENT, ARCHIVE, World

BLOCK = f"/v1/agents/{AGENT}/core-memory/blocks/"
METRICS = {"training_step": 3, "loss": 0.5, "new_patterns": ["x"], "model_confidence": 0.2}
WON = {"patterns": [], "winning_patterns": ["smooth"]}
STEP = {**METRICS, "new_choices": 2, "choices_seen": 9}


def test_the_blocks_texts_go_to_the_worker_as_they_are(world: World) -> None:
    world.route("GET", BLOCK + "ab_testing", {"id": "block-1", "value": "USER_SELECTIONS: [broken"})
    world.route("GET", BLOCK + "user_style", {"id": "block-2", "value": "COLOR_PREFERENCES: warm, no neon"})
    style = {"likes": 1, "dislikes": 1, "changed": True}
    made = {"imported": 1, "already_known": 2, "problems": [{"index": 0}] * 30, "style": style}
    world.route("POST", "/v1/selections/import", made)
    answer = world.call("read_user_selections")
    assert json.loads(world.to("POST", "/v1/selections/import")[0].content) == {
        "block": "USER_SELECTIONS: [broken",
        "style": "COLOR_PREFERENCES: warm, no neon",
    }
    assert (answer["imported"], len(answer["problems"]), answer["problems_in_all"]) == (1, 20, 30)
    assert answer["style"] == style


def test_without_a_user_style_block_the_choices_are_imported_all_the_same(world: World) -> None:
    world.route("GET", BLOCK + "ab_testing", {"id": "block-1", "value": ""})
    world.route("GET", BLOCK + "user_style", httpx.Response(404, json={"detail": "no such block"}))
    world.route("POST", "/v1/selections/import", {"imported": 1, "already_known": 0, "problems": []})
    answer = world.call("read_user_selections")
    assert json.loads(world.to("POST", "/v1/selections/import")[0].content) == {"block": ""}
    assert (answer["imported"], answer["style"]["error"]) == (1, "no such block")
    world.route("GET", BLOCK + "ab_testing", httpx.Response(404, json={"detail": "no such block"}))
    assert world.call("read_user_selections")["error"] == "no such block"


def test_if_a_step_fails_nothing_downstream_claims_success(world: World) -> None:
    for name in ("quality_standards", "session_state"):
        world.route("GET", BLOCK + name, {"id": "block-1", "value": ""})
    failed = {"error": "down", "fix": "start it"}
    for log in ([], [("read_user_selections", failed)]):
        world.log(*log)
        assert "not read" in world.call("dpo_training_step")["error"]
    for log in ([], [("dpo_training_step", failed)], [("dpo_training_step", STEP), ("dpo_training_step", failed)]):
        world.log(*log)
        for tool in ("update_quality_standards", "log_training_metrics"):
            assert "no training step succeeded" in world.call(tool)["error"]
    world.log(("dpo_training_step", STEP), ("update_quality_standards", failed))
    assert "was not written" in world.call("log_training_metrics")["error"]
    assert not [r for r in world.requests if r.method in ("POST", "PATCH")]


def test_a_step_is_repeated_under_one_key(world: World) -> None:
    world.log(("read_user_selections", {"imported": 1}))
    waiting: list[Any] = [httpx.ConnectError("x"), STEP]
    world.route("POST", "/v1/tuner/steps", lambda _: waiting.pop(0))
    assert world.call("dpo_training_step") == STEP
    assert len({r.headers["Idempotency-Key"] for r in world.to("POST", "/v1/tuner/steps")}) == 1


def test_a_block_that_others_write_is_made_anew(world: World) -> None:
    world.log(("dpo_training_step", STEP))
    texts = ["old", "theirs", "theirs", "theirs"]
    world.route("GET", BLOCK + "quality_standards", lambda _: {"id": "block-1", "value": texts.pop(0)})
    world.route(
        "POST",
        "/v1/tuner/blocks",
        lambda r: {"block": json.loads(r.content)["block"] + "+ours", "keys": ["FAILURE_PATTERNS"]},
    )
    world.route("PATCH", "/v1/blocks/block-1", {})
    answer = world.call("update_quality_standards")
    assert (answer["updated"], answer["keys"]) == (True, ["FAILURE_PATTERNS"])
    assert "nothing at this address" in answer["ab_testing"]["error"], "a host without that block loses nothing else"
    assert [json.loads(r.content) for r in world.to("PATCH", "/v1/blocks/block-1")] == [{"value": "theirs+ours"}]


def rendered(asked: dict[str, str]) -> dict[str, Any]:
    text, keys = render(asked["label"], asked["block"], WON)
    return {"block": text, "keys": keys}


def test_winning_patterns_go_to_ab_testing_and_what_people_write_meanwhile_stays(world: World) -> None:
    world.log(("dpo_training_step", STEP))
    world.route("GET", BLOCK + "quality_standards", {"id": "block-1", "value": "x"})
    texts = ["USER_SELECTIONS: []\n", *["USER_SELECTIONS: [1]\n"] * 3]
    world.route("GET", BLOCK + "ab_testing", lambda _: {"id": "block-2", "value": texts.pop(0)})
    world.route(
        "POST",
        "/v1/tuner/blocks",
        lambda r: rendered(json.loads(r.content)),
    )
    for block in ("block-1", "block-2"):
        world.route("PATCH", f"/v1/blocks/{block}", {})
    answer = world.call("update_quality_standards")
    assert answer["ab_testing"] == {"updated": True, "keys": ["WINNING_PATTERNS"]}
    written = [json.loads(r.content)["value"] for r in world.to("PATCH", "/v1/blocks/block-2")]
    assert written == ['USER_SELECTIONS: [1]\nWINNING_PATTERNS: ["smooth"]\n']


def test_a_conflict_while_writing_is_tried_again_and_no_change_writes_nothing(world: World) -> None:
    world.log(("dpo_training_step", STEP))
    world.route("GET", BLOCK + "quality_standards", {"id": "block-1", "value": "x"})
    world.route("POST", "/v1/tuner/blocks", {"block": "y", "keys": []})
    answers: list[Any] = [httpx.Response(409), {}]
    world.route("PATCH", "/v1/blocks/block-1", lambda _: answers.pop(0))
    assert world.call("update_quality_standards")["updated"] is True
    world.route("POST", "/v1/tuner/blocks", {"block": "x", "keys": []})
    assert world.call("update_quality_standards")["updated"] is False
    world.route("POST", "/v1/tuner/blocks", {"block": "y", "keys": []})
    world.route("PATCH", "/v1/blocks/block-1", httpx.Response(409))
    assert "nothing was lost" in world.call("update_quality_standards")["fix"]


def test_metrics_go_to_archival_memory_once_for_a_step_with_news(world: World) -> None:
    world.route("GET", BLOCK + "session_state", {"id": "block-2", "value": "x"})
    world.route("POST", "/v1/tuner/blocks", {"block": "x", "keys": []})
    world.log(("dpo_training_step", STEP), ("update_quality_standards", {"updated": True}))
    answer = world.call("log_training_metrics")
    assert {name: answer[name] for name in METRICS} == METRICS
    assert answer["archived"] is True
    assert "training step 3;" in json.loads(world.to("POST", ARCHIVE)[0].content)["text"]
    world.log(("dpo_training_step", {**STEP, "new_choices": 0}), ("update_quality_standards", {"updated": False}))
    assert world.call("log_training_metrics")["archived"] is False
    assert len(world.to("POST", ARCHIVE)) == 1

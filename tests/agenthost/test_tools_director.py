"""The Director's tools against a worker and a host in memory: decisions, deliveries and variations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.agenthost.world import AGENT, RECORD, World, agent_says, tool_said


def standards(world: World, text: str) -> None:
    world.route("GET", f"/v1/agents/{AGENT}/core-memory/blocks/quality_standards", {"value": text})


@pytest.mark.parametrize(
    ("grades", "text", "decision"),
    [
        (["A"], "MIN_ACCEPTABLE_GRADE: B\nMAX_RETRIES: 3", "deliver"),
        (["C"], "MIN_ACCEPTABLE_GRADE: B\nMAX_RETRIES: 3", "refine"),
        (["B"], '{"MIN_ACCEPTABLE_GRADE": "A-", "MAX_RETRIES": 1}', "refine"),
        (["B", "B"], '{"MIN_ACCEPTABLE_GRADE": "A-", "MAX_RETRIES": 1}', "deliver"),
        (["C"], "MAX_RETRIES: 0", "deliver"),
        ([None], "", "refine"),
        ([], "", "deliver"),
    ],
)
def test_the_decision_follows_the_standards(world: World, grades: list[Any], text: str, decision: str) -> None:
    world.log(*(("ask_cameraman", {"id": f"ev_{i}", "grade": grade}) for i, grade in enumerate(grades)))
    standards(world, text)
    answer = world.call("decide_next")
    assert answer["decision"] == answer["message"] == decision, "the host's rule reads the message"
    assert answer["attempts"] == len(grades)


def test_attempts_of_other_turns_don_t_count(world: World) -> None:
    standards(world, "MAX_RETRIES: 1")
    world.log(
        ("ask_cameraman", {"id": "ev_0", "grade": "C"}), ("ask_cameraman", {"id": "ev_1", "grade": "C"}), run="old"
    )
    assert world.call("decide_next")["attempts"] == 0


def test_a_run_that_died_with_its_server_does_not_count(world: World) -> None:
    standards(world, "MAX_RETRIES: 1")
    world.log(*[("ask_cameraman", {"id": "ev_0", "grade": "C"})] * 2, run="stale")
    stale = list(world.routes["GET", f"/v1/agents/{AGENT}/messages"])
    world.log(("ask_cameraman", {"id": "ev_1", "grade": "A"}))
    world.routes["GET", f"/v1/agents/{AGENT}/messages"][:0] = stale
    world.route("GET", "/v1/runs/", [{"id": "run-1"}, {"id": "stale"}])
    assert world.call("decide_next")["attempts"] == 1


def test_the_log_is_read_in_its_order_whatever_the_host_gives(world: World) -> None:
    standards(world, "MIN_ACCEPTABLE_GRADE: B")
    world.log(("ask_cameraman", {"id": "ev_0", "grade": "C"}), ("ask_cameraman", {"id": "ev_1", "grade": "A"}))
    path = f"/v1/agents/{AGENT}/messages"
    newest_first = list(reversed(world.routes["GET", path]))
    for messages in (world.routes["GET", path], newest_first):
        world.route("GET", path, messages)
        assert world.call("decide_next")["grade"] == "A"


def shot(number: int, grade: str | None, action: str, final: float | None, **more: Any) -> tuple[str, dict[str, Any]]:
    told = {"id": f"ev_{number}", "grade": grade, "action": action, "final": final, "video_id": f"md_{number}"}
    return ("ask_cameraman", {**told, "prompt": f"prompt {number}", **more})


WRITTEN = ("ask_writer", {"prompt": "prompt 1", "brief": "a wolf"})
RUNS = "/v1/refinements"


@pytest.mark.parametrize(
    ("shots", "outcome", "delivered", "says"),
    [
        ([shot(0, "C", "refine", 0.3), shot(1, "A-", "accept", 0.8)], "accepted", "ev_1", ""),
        ([shot(0, "C", "refine", 0.9), shot(1, "B", "accept", 0.6)], "accepted", "ev_1", ""),
        ([shot(0, "B-", "review", 0.5)], "review", "ev_0", "for review"),
        ([shot(0, "A", "review", 0.9)], "review", "ev_0", "a person"),
        ([shot(0, "C", "refine", 0.45), shot(1, "C", "refine", 0.4)], "exhausted", "ev_0", "best one"),
        ([shot(0, "C", "refine", 0.4)], "failed", "ev_0", "not finished"),
        ([shot(0, None, "review", None)], "review", "ev_0", "for review"),
        ([shot(0, "C", "refine", 0.4), ("ask_cameraman", {"error": "x"})], "failed", "ev_0", "no verdict"),
    ],
)
def test_the_best_clip_is_delivered_and_the_run_recorded(
    world: World, shots: list[Any], outcome: str, delivered: str, says: str
) -> None:
    standards(world, "MIN_ACCEPTABLE_GRADE: B\nMAX_RETRIES: 1")
    for n in range(2):
        world.route("GET", f"/v1/evaluations/ev_{n}", {**RECORD, "id": f"ev_{n}", "user": "mira"})
    world.route("POST", RUNS, {"id": "rf_1"})
    world.log(WRITTEN, *shots)
    answer = world.call("deliver_video")
    assert (answer["outcome"], answer["id"], answer["attempts"]) == (outcome, delivered, len(shots))
    assert answer["accepted"] == (outcome == "accepted")
    assert says in answer["note"]
    assert answer["refinement"] == "rf_1"
    sent = json.loads(world.to("POST", RUNS)[0].content)
    assert (sent["brief"], sent["user"], sent["outcome"], sent["max_retries"]) == ("a wolf", "mira", outcome, 1)
    assert [cycle["evaluation"] for cycle in sent["cycles"]] == [one.get("id") for _, one in shots]
    assert sent["generator"] == "comfyui"
    world.call("deliver_video")
    assert len({r.headers["Idempotency-Key"] for r in world.to("POST", RUNS)}) == 1, "one turn is one run"


def test_without_a_clip_what_prevented_one_is_said_and_counted(world: World) -> None:
    standards(world, "")
    world.route("POST", RUNS, {"id": "rf_1"})
    world.log(WRITTEN, ("ask_cameraman", {"error": "the worker is down", "fix": "start it"}))
    assert world.call("deliver_video") == {"error": "the worker is down", "fix": "start it"}
    sent = json.loads(world.to("POST", RUNS)[0].content)
    assert (sent["outcome"], sent["cycles"]) == (
        "failed", [{"prompt": "prompt 1", "evaluation": None, "media": ""}],
    )  # fmt: skip
    world.log()
    assert "no clip" in world.call("deliver_video")["error"]


def test_a_run_that_can_t_be_recorded_is_delivered_all_the_same(world: World) -> None:
    standards(world, "")
    world.log(WRITTEN, shot(1, "A", "accept", 0.9))
    answer = world.call("deliver_video")
    assert answer["delivered"]
    assert answer["refinement"] is None
    assert "nothing at this address" in answer["not_recorded"]["error"]


@pytest.mark.parametrize("text", ["MAX_RETRIES: A\nMIN_ACCEPTABLE_GRADE: D", "MAX_RETRIES: many"])
def test_standards_that_are_none_leave_the_usual_ones(world: World, text: str) -> None:
    standards(world, text)
    world.log(shot(0, "C", "refine", 0.4))
    assert world.call("decide_next")["decision"] == "refine"


@pytest.mark.parametrize(
    ("text", "wanted", "refined"),
    [
        ("# MIN_ACCEPTABLE_GRADE: A\nMIN_ACCEPTABLE_GRADE: B+\nOLD_MAX_RETRIES: 0\nMAX_RETRIES: 1\n", "B+", True),
        ('PROVEN_PROMPT_TEMPLATES: ["MIN_ACCEPTABLE_GRADE: F", "MAX_RETRIES: 0"]\nMAX_RETRIES: 1\n', "B", True),
        ('PATTERNS: [\n"MAX_RETRIES: 9",\n  "MIN_ACCEPTABLE_GRADE: A"\n]\nMAX_RETRIES: 0\n', "B", False),
        ("MAX_RETRIES: 1\nMIN_ACCEPTABLE_GRADE: A\nMAX_RETRIES: 0\nMIN_ACCEPTABLE_GRADE: B\n", "B", False),
        ("MIN_ACCEPTABLE_GRADE: Average\nMAX_RETRIES: 0.5\n", "B", True),
        ('{"told": "MAX_RETRIES: 0", "old": {"MAX_RETRIES": 0}, "MIN_ACCEPTABLE_GRADE":\n "A-"}', "A-", True),
        ('{"MIN_ACCEPTABLE_GRADE": "A-", "MAX_RETRIES": 0, "broken": [}', "A-", True),
        ('{\n "MIN_ACCEPTABLE_GRADE": "A-",\n "MAX_RETRIES": 0,\n "broken": [}', "A-", False),
        (f"MAX_RETRIES: {'9' * 5000}\n", "B", True),
    ],
)
def test_only_a_key_of_its_own_states_a_standard(world: World, text: str, wanted: str, refined: bool) -> None:
    """Patterns are words that came from prompts, and people leave notes: neither sets how good a clip must be."""
    standards(world, text)
    world.log(shot(0, "C", "refine", 0.4))
    answer = world.call("decide_next")
    assert (answer["wanted"], answer["decision"] == "refine") == (wanted, refined)


# -- variations


CAMERAMAN = "/v1/agents/id-agent-dqa-cameraman/messages"
AB = f"/v1/agents/{AGENT}/core-memory/blocks/ab_testing"
VERDICTS = [{"id": f"ev_{n}", "video_id": f"md_{n}", "grade": "B", "final": 0.6} for n in (1, 2)]


@pytest.fixture
def varied(agents: World) -> World:
    agents.log(("deliver_video", {"prompt": "an old fox"}), ("deliver_video", {"prompt": "a grey wolf"}), run="old")
    agents.route("POST", CAMERAMAN, agent_says(*([tool_said("verify_video", one)] for one in VERDICTS)))
    texts = ["old", "theirs", "theirs", "theirs"]
    agents.route("GET", AB, lambda _: {"id": "block-2", "value": texts.pop(0) if len(texts) > 1 else texts[0]})
    agents.route(
        "POST",
        "/v1/pairs/block",
        lambda r: {"block": json.loads(r.content)["block"] + "+test", "keys": ["ACTIVE_TEST"], "choose": "http://c"},
    )
    agents.route("PATCH", "/v1/blocks/block-2", {})
    return agents


def test_ab_variations_are_made_verified_and_announced(varied: World) -> None:
    answer = varied.call("ab_variations")
    assert (answer["prompt"], answer["a"]["id"], answer["b"]["id"]) == ("a grey wolf", "ev_1", "ev_2")
    assert answer["choose"] == "http://c"
    asked = [json.loads(r.content)["messages"][0]["content"] for r in varied.to("POST", CAMERAMAN)]
    assert ["attempt: 1" in asked[0], "attempt: 2" in asked[1]] == [True, True]
    sent = json.loads(varied.to("POST", "/v1/pairs/block")[-1].content)
    assert sent == {"block": "theirs", "a": "ev_1", "b": "ev_2", "test_id": answer["test_id"]}
    assert [json.loads(r.content) for r in varied.to("PATCH", "/v1/blocks/block-2")] == [{"value": "theirs+test"}]


def test_variations_of_a_given_prompt_and_of_none(varied: World) -> None:
    assert varied.call("ab_variations", "a white hare")["prompt"] == "a white hare"
    varied.log()
    assert "no prompt to vary" in varied.call("ab_variations")["error"]


def test_two_of_the_same_clip_are_no_test(varied: World) -> None:
    same = agent_says(*([tool_said("verify_video", VERDICTS[0])] for _ in range(2)))
    varied.route("POST", CAMERAMAN, same)
    assert "same clip twice" in varied.call("ab_variations")["error"]
    assert not varied.to("PATCH", "/v1/blocks/block-2")

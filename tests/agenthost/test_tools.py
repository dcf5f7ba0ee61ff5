"""The tools against a worker and a host in memory: what they send, what they say, what they never do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from dqa.agenthost.views import render
from tests.agenthost.world import AGENT, World

RECORD: dict[str, Any] = {
    "id": "ev_1",
    "created": "2026-01-01T00:00:00Z",
    "prompt": "a wolf",
    "channels": {
        "semantic": {
            "status": "ok",
            "score": 0.8,
            "confidence": 0.5,
            "reason": "a wolf",
            "evidence": [{"text": "fur"}],
        },
        "spatial": {"status": "abstained", "score": None, "confidence": None, "reason": "no places", "evidence": []},
        "benchmark": {"status": "ok", "score": 0.9, "dimensions": {"motion_smoothness": {"score": 0.7}}, "reason": "x"},
        "preference": {"status": "unavailable", "score": None, "reason": "none"},
    },
    "prompt_adherence": 0.85,
    "final": 0.84,
    "grade": "A-",
    "action": "accept",
    "reasoning": "Grade A-.",
    "advice": ["less motion"],
    "profile": "embedded",
    "reproduce": {"media": "w.mp4"},
}
STEPS = ("semantic_evaluation", "spatial_evaluation", "benchmark_evaluation", "final_verdict")
ARCHIVE = f"/v1/agents/{AGENT}/archival-memory"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(monkeypatch)
    world.route("POST", "/v1/evaluations", RECORD)
    world.route("GET", "/v1/evaluations/ev_1", RECORD)
    world.route("GET", ARCHIVE, [])
    world.route("POST", ARCHIVE, [{"id": "passage-1"}])
    return world


def test_the_four_steps_of_a_turn_share_one_evaluation(world: World) -> None:
    answers = [world.call(step, "w.mp4", "a wolf") for step in STEPS]
    asked = world.to("POST", "/v1/evaluations")
    assert len({request.headers["Idempotency-Key"] for request in asked}) == 1
    assert len({request.content for request in asked}) == 1
    assert json.loads(asked[0].content) == {"media": "w.mp4", "prompt": "a wolf", "wait": 20}
    assert [answer["score"] for answer in answers[:3]] == [0.8, None, 0.9]
    assert answers[1]["status"] == "abstained"
    assert answers[2]["dimensions"] == {"motion_smoothness": 0.7}
    world.route("GET", "/v1/runs/", [{"id": "run-2"}])
    world.call("final_verdict", "w.mp4", "a wolf")
    assert len({r.headers["Idempotency-Key"] for r in world.to("POST", "/v1/evaluations")}) == 2, (
        "a new turn looks afresh"
    )


def test_where_the_turn_is_unknown_only_one_channel_is_evaluated(world: World) -> None:
    world.route("GET", "/v1/runs/", httpx.Response(500))
    world.call("spatial_evaluation", "w.mp4", "a wolf")
    assert json.loads(world.to("POST", "/v1/evaluations")[0].content)["channels"] == ["spatial"]
    world.call("final_verdict", "w.mp4", "a wolf")
    assert "channels" not in json.loads(world.to("POST", "/v1/evaluations")[1].content)


def test_the_verdict_is_the_record_and_is_archived_once(world: World) -> None:
    verdict = world.call("final_verdict", "w.mp4", "a wolf")
    assert (verdict["id"], verdict["grade"], verdict["prompt_adherence"]) == ("ev_1", "A-", 0.85)
    assert (verdict["semantic_score"], verdict["spatial_score"], verdict["benchmark_score"]) == (0.8, None, 0.9)
    assert verdict["archived"] is True
    entry = json.loads(json.loads(world.to("POST", ARCHIVE)[0].content)["text"])
    assert entry.keys() >= {"video_id", "timestamp", "scores", "grade"}
    assert (entry["video_id"], entry["timestamp"], entry["grade"]) == ("w.mp4", RECORD["created"], "A-")
    world.route("GET", ARCHIVE, [{"id": "passage-1"}])
    world.call("final_verdict", "w.mp4", "a wolf")
    assert len(world.to("POST", ARCHIVE)) == 1


def test_a_failing_archive_is_named_and_spoils_nothing(world: World) -> None:
    world.route("GET", ARCHIVE, httpx.ConnectError("refused"))
    verdict = world.call("final_verdict", "w.mp4", "a wolf")
    assert verdict["grade"] == "A-"
    assert "the Letta server does not answer" in verdict["archived"]["error"]


def test_a_running_evaluation_is_waited_for_under_the_same_key(world: World) -> None:
    waiting: list[Any] = [{"id": "ev_1", "status": "queued"}, httpx.ReadTimeout("slow"), httpx.Response(503), RECORD]
    world.route("POST", "/v1/evaluations", lambda _: waiting.pop(0))
    assert world.call("semantic_evaluation", "w.mp4", "a wolf")["score"] == 0.8
    assert len({r.headers["Idempotency-Key"] for r in world.to("POST", "/v1/evaluations")}) == 1


def test_an_evaluation_that_takes_too_long_says_that_it_goes_on(world: World) -> None:
    world.patch.setenv("DQA_PATIENCE_S", "-1")
    world.route("POST", "/v1/evaluations", {"id": "ev_1", "status": "running"})
    answer = world.call("semantic_evaluation", "w.mp4", "a wolf")
    assert "longer than" in answer["error"]
    assert "call the tool again" in answer["fix"]


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_that_is_down_is_a_sentence_with_a_way_out(world: World, step: str) -> None:
    world.route("POST", "/v1/evaluations", httpx.ConnectError("refused"))
    answer = world.call(step, "w.mp4", "a wolf")
    assert answer == {
        "error": "DQA's worker does not answer (ConnectError)",
        "fix": "start it with: dqa up, then try again",
    }
    assert 0 < world.slept < 10


@pytest.mark.parametrize("step", STEPS)
def test_the_worker_s_own_words_reach_the_agent(world: World, step: str) -> None:
    problem = {"detail": "there is no such file; give a path under a configured root."}
    world.route("POST", "/v1/evaluations", httpx.Response(404, json=problem))
    answer = world.call(step, "gone.mp4", "a wolf")
    assert answer == {"error": "there is no such file", "fix": "give a path under a configured root."}
    assert "error" in world.call(step, " ", "a wolf")
    assert "error" in world.call(step, "w.mp4", "")


@pytest.mark.parametrize("answer", [[], "text", 7, None, {"items": []}, {"channels": {}}])
def test_nonsense_from_the_worker_is_an_error_never_a_verdict(world: World, answer: Any) -> None:
    world.patch.setenv("DQA_PATIENCE_S", "-1")
    world.route("POST", "/v1/evaluations", httpx.Response(200, json=answer))
    assert "error" in world.call("final_verdict", "w.mp4", "a wolf")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>welcome</html>"),
        httpx.Response(302, headers={"Location": "https://worker.test/"}),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"status": "ok"}),
    ],
)
def test_what_is_no_worker_is_asked_once_and_named(world: World, answer: httpx.Response) -> None:
    world.patch.setenv("DQA_PATIENCE_S", "0.2")
    world.route("POST", "/v1/evaluations", answer)
    told = world.call("final_verdict", "w.mp4", "a wolf")
    assert "DQA's worker" in told["error"]
    assert "longer than" not in told["error"]
    assert len(world.to("POST", "/v1/evaluations")) == 1


@pytest.mark.parametrize("tool", ["decide_next", "read_user_selections", "deliver_video"])
def test_what_is_no_letta_server_is_named(world: World, tool: str) -> None:
    page = httpx.Response(200, text="<html>welcome</html>")
    for path in ("/v1/runs/", f"/v1/agents/{AGENT}/core-memory/blocks/ab_testing"):
        world.route("GET", path, page)
    answer = world.call(tool)
    assert "the Letta server" in answer["error"]
    assert "DQA_LETTA_URL" in answer["fix"]


def test_a_worker_that_answers_at_once_that_it_goes_on_is_not_flooded(world: World) -> None:
    waiting: list[Any] = [{"id": "ev_1", "status": "running"}] * 5 + [RECORD]
    world.route("POST", "/v1/evaluations", lambda _: waiting.pop(0))
    assert world.call("semantic_evaluation", "w.mp4", "a wolf")["score"] == 0.8
    assert world.slept >= 5


def test_no_secret_is_in_an_answer(world: World) -> None:
    world.route("POST", "/v1/evaluations", httpx.Response(401, json={"detail": "a token is needed; give one."}))
    assert "t0k" not in json.dumps([world.call(step, "w.mp4", "a wolf") for step in STEPS])


def test_recent_evaluations_are_facts_to_talk_about(world: World) -> None:
    world.route("GET", "/v1/evaluations", {"items": [RECORD], "next": None})
    found = world.call("recent_evaluations", 99)["evaluations"]
    assert (found[0]["grade"], found[0]["prompt"], found[0]["video_id"]) == ("A-", "a wolf", "w.mp4")
    assert dict(world.requests[-1].url.params) == {"limit": "10"}


def test_recent_evaluations_are_those_of_the_agent_s_user(world: World) -> None:
    world.patch.setenv("DQA_USER", "mira & co")
    world.route("GET", "/v1/evaluations", {"items": [RECORD], "next": None})
    assert "evaluations" in world.call("recent_evaluations")
    assert dict(world.requests[-1].url.params) == {"limit": "1", "user": "mira & co"}


# -- asking other agents


def agent_says(*turns: list[dict[str, Any]]) -> Any:
    waiting = [{"messages": turn} for turn in turns]
    return lambda _: waiting.pop(0)


def tool_said(tool: str, data: Any, status: str = "success") -> dict[str, Any]:
    return {"message_type": "tool_return_message", "name": tool, "tool_return": json.dumps(data), "status": status}


SAID = {"message_type": "assistant_message", "content": "It deserves an A, 0.99."}


@pytest.fixture
def agents(world: World) -> World:
    world.route("GET", "/v1/agents/", lambda r: [{"id": f"id-{r.url.params['name']}", "name": r.url.params["name"]}])
    return world


ASK = "/v1/agents/id-agent-dqa-verifier/messages"


def test_verify_video_gives_the_worker_s_record_not_the_agent_s_claim(agents: World) -> None:
    agents.route(
        "POST", ASK, agent_says([tool_said("final_verdict", {"id": "ev_1", "grade": "A", "final": 1.0}), SAID])
    )
    verdict = agents.call("verify_video", "w.mp4", "a wolf")
    assert (verdict["grade"], verdict["final"]) == ("A-", 0.84)


@pytest.mark.parametrize(
    ("turn", "posts", "says"),
    [
        ([SAID], 2, "without final_verdict, twice; it said: It deserves an A"),
        ([tool_said("final_verdict", {"id": "ev_1"}, "error")], 2, "without final_verdict, twice"),
        ([tool_said("final_verdict", {"error": "worker down", "fix": "start it"})], 1, "worker down"),
        ([tool_said("final_verdict", {"id": "ev_9", "grade": "A"})], 1, "nothing at this address"),
    ],
)
def test_without_a_verdict_there_is_none(agents: World, turn: list[Any], posts: int, says: str) -> None:
    agents.route("POST", ASK, agent_says(turn, turn))
    answer = agents.call("verify_video", "w.mp4", "a wolf")
    assert says in answer["error"]
    assert set(answer) == {"error", "fix"}
    assert len(agents.to("POST", ASK)) == posts


def test_a_verdict_on_another_prompt_is_refused(agents: World) -> None:
    agents.route("POST", ASK, agent_says([tool_said("final_verdict", {"id": "ev_1"})]))
    assert "another prompt" in agents.call("verify_video", "w.mp4", "a cat")["error"]
    agents.route("POST", ASK, agent_says([tool_said("final_verdict", {"id": "ev_1"})]))
    assert "another clip" in agents.call("verify_video", "v.mp4", "a wolf")["error"]


def test_a_message_is_never_posted_again_for_want_of_an_answer(agents: World) -> None:
    agents.route("POST", ASK, httpx.ReadTimeout("slow"))
    assert "does not answer" in agents.call("verify_video", "w.mp4", "a wolf")["error"]
    assert len(agents.to("POST", ASK)) == 1


def test_the_cameraman_gets_the_writer_s_prompt_and_a_counted_attempt(agents: World) -> None:
    path = "/v1/agents/id-agent-dqa-cameraman/messages"
    agents.log(("ask_writer", {"prompt": "one"}), ("ask_cameraman", {"id": "ev_0"}), ("ask_writer", {"prompt": "two"}))
    agents.route("POST", path, agent_says([tool_said("verify_video", {"id": "ev_1", "grade": "B"})]))
    answer = agents.call("ask_cameraman", "my own words", 1)
    assert (answer["prompt"], answer["attempt"], answer["id"]) == ("two", 2, "ev_1")
    assert 'prompt: "two"\nattempt: 2' in json.loads(agents.to("POST", path)[0].content)["messages"][0]["content"]
    agents.log(("ask_writer", {"error": "no words", "fix": "try again"}))
    assert agents.call("ask_cameraman", "x", 1) == {"error": "no words", "fix": "try again"}


# -- the Director's decisions


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


# -- the generator


GENERATIONS = "/v1/generations"


def test_the_folder_of_clips_stands_in_for_a_generator_and_says_so(world: World, tmp_path: Path) -> None:
    why = "no video generator is configured; set DQA_COMFY_WORKFLOW to a workflow."
    world.route("GET", GENERATIONS, {"configured": False, "workflows": [], "why": why})
    answer = world.call("generate_video", "a wolf", 1)
    assert answer["error"] == "no video generator is configured"
    assert "DQA_COMFY_WORKFLOW" in answer["fix"]
    assert "DQA_CLIPS" in answer["fix"]
    world.patch.setenv("DQA_CLIPS", str(tmp_path))
    assert "empty" in world.call("generate_video", "a wolf", 1)["error"]
    for name in ("a.mp4", "b.mp4", "c.txt"):
        (tmp_path / name).touch()
    rows = [{"file": "a.mp4", "prompt": "green frogs"}, {"file": "b.mp4", "prompt": "grey wolves in forests"}]
    (tmp_path / "manifest.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    first = world.call("generate_video", "wolves in the forests", 1)
    assert (first["media"], first["made_for"]) == (str(tmp_path / "b.mp4"), "grey wolves in forests")
    assert "stands in" in first["source"]
    assert world.call("generate_video", "wolves in the forests", 2)["media"] == str(tmp_path / "a.mp4")


@pytest.fixture
def connected(world: World, tmp_path: Path) -> World:
    world.patch.setenv("DQA_CLIPS", str(tmp_path))
    world.patch.setenv("DQA_USER", "mira")
    world.route("GET", GENERATIONS, {"configured": True, "workflows": [], "why": None})
    return world


def test_the_worker_s_generator_is_asked_once_and_waited_for(connected: World) -> None:
    waiting: list[Any] = [{"id": "gen_1", "status": "running"}] * 30 + [{"id": "gen_1", "media_id": "md_7", "seed": 5}]
    connected.route("POST", GENERATIONS, lambda _: waiting.pop(0))
    answer = connected.call("generate_video", "a wolf", 2)
    assert (answer["media"], answer["attempt"], answer["source"], answer["seed"]) == ("md_7", 2, "ComfyUI", 5)
    asked = connected.to("POST", GENERATIONS)
    assert len({request.headers["Idempotency-Key"] for request in asked}) == 1
    assert json.loads(asked[0].content) == {"prompt": "a wolf", "attempt": 2, "wait": 20, "user": "mira"}
    waiting.append({"id": "gen_2", "media_id": "md_8"})
    connected.call("generate_video", "a wolf", 3)
    assert len({request.headers["Idempotency-Key"] for request in connected.to("POST", GENERATIONS)}) == 2


def test_a_generator_that_fails_is_never_replaced_by_the_folder_in_silence(connected: World) -> None:
    down = httpx.Response(409, json={"detail": "ComfyUI failed in node 3 (KSampler): boom; see ComfyUI's log."})
    connected.route("POST", GENERATIONS, down)
    answer = connected.call("generate_video", "a wolf", 1)
    assert answer == {"error": "ComfyUI failed in node 3 (KSampler): boom", "fix": "see ComfyUI's log."}
    connected.route("GET", GENERATIONS, httpx.ConnectError("refused"))
    assert "does not answer" in connected.call("generate_video", "a wolf", 1)["error"]


def test_a_clip_that_takes_too_long_is_taken_off_the_generator(connected: World) -> None:
    connected.route("POST", GENERATIONS, {"id": "gen_1", "status": "running"})
    connected.route("DELETE", f"{GENERATIONS}/gen_1", {})
    clock = iter(range(0, 100_000, 600))
    connected.patch.setattr("time.monotonic", lambda: float(next(clock)))
    assert "cancelled" in connected.call("generate_video", "a wolf", 1)["error"]
    assert len(connected.to("DELETE", f"{GENERATIONS}/gen_1")) == 1


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


def test_the_writer_hands_over_one_paragraph(world: World) -> None:
    assert world.call("submit_prompt", " a  wolf\n runs ")["prompt"] == "a wolf runs"
    for empty in ("", "  ", "123"):
        assert "error" in world.call("submit_prompt", empty)
    assert "4000" in world.call("submit_prompt", "a" * 4001)["fix"]


# -- the Tuner


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

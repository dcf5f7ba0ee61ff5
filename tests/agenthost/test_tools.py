"""The tools of Verifier, Writer and Cameraman against a worker and a host in memory: what they send and never do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.agenthost.world import AGENT, ARCHIVE, RECORD, World, agent_says, tool_said

STEPS = ("semantic_evaluation", "spatial_evaluation", "benchmark_evaluation", "final_verdict")


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


SAID = {"message_type": "assistant_message", "content": "It deserves an A, 0.99."}
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


def test_the_writer_hands_over_one_paragraph(world: World) -> None:
    assert world.call("submit_prompt", " a  wolf\n runs ")["prompt"] == "a wolf runs"
    for empty in ("", "  ", "123"):
        assert "error" in world.call("submit_prompt", empty)
    assert "4000" in world.call("submit_prompt", "a" * 4001)["fix"]


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

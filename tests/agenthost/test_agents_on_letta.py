"""The agents on a real Letta server and PostgreSQL, with the real worker; the brain is scripted or the rule brain."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from dqa.agenthost import blocks
from dqa.agenthost.attach import attach, detach
from dqa.agenthost.calibrator import AgentEditor, find_calibrator
from dqa.agenthost.deploy import Options, deploy, plan
from dqa.agenthost.letta import LettaHost
from dqa.agenthost.manifest import load_manifest
from dqa.agenthost.port import AgentSpec, HostAgent, Turn
from dqa.agenthost.runtime import turn_counter_reset
from dqa.agenthost.turn import NoVerdict, ask_verifier, request_text
from dqa.brain.answer import complete
from dqa.calibrate.axes import default_axes
from dqa.calibrate.editor import EditRequest, Target
from dqa.calibrate.task import OPENING
from tests.agenthost import scripted as endpoint
from tests.agenthost.conftest import Stack
from tests.agenthost.scripted import Reply, ScriptedBrain
from tests.calibrate.local import Local, climbed

pytestmark = [pytest.mark.letta, pytest.mark.slow, pytest.mark.timeout(1200)]

CLIPS = Path(__file__).parents[1] / "data/clips"
ROWS = [json.loads(line) for line in (CLIPS / "manifest.jsonl").read_text().splitlines()]
MANIFEST = load_manifest()
PATIENCE = 600.0


def rule_brain(request: Mapping[str, Any]) -> Reply:
    """What the rule brain would say."""
    message = complete(request)["choices"][0]["message"]
    if message.get("tool_calls"):
        function = message["tool_calls"][0]["function"]
        return {"tool": function["name"], "arguments": json.loads(function["arguments"])}
    return {"text": message["content"]}


class Deployment:
    """The stack with our agents on it."""

    def __init__(self, stack: Stack) -> None:
        link = stack.connection
        self.stack = stack
        self.host = LettaHost(link.letta_url, link.letta_key)
        self.clips = stack.settings.roots[0]
        self.variables = {
            "DQA_URL": link.service_url,
            "DQA_TOKEN": link.service_token or "",
            "DQA_LETTA_URL": link.letta_url,
            "DQA_LETTA_KEY": link.letta_key or "",
            "DQA_CLIPS": str(self.clips),
        }
        reset = turn_counter_reset(stack.settings)
        self.options = Options(endpoint.HANDLE, endpoint.EMBEDDING, self.variables, reset)
        self.worker = httpx.Client(
            base_url=link.service_url, headers={"Authorization": f"Bearer {link.service_token}"}, timeout=120
        )

    def agent(self, name: str) -> HostAgent:
        return self.host.agents(MANIFEST.agent(name).name)[0]

    def say(self, name: str, text: str) -> Turn:
        return self.host.send(self.agent(name).id, text, PATIENCE)

    def record(self, name: str) -> Mapping[str, Any]:
        return self.worker.get(f"/v1/evaluations/{name}").raise_for_status().json()

    def block(self, label: str) -> str:
        return self.host.blocks(label)[0].value

    def write(self, label: str, text: str) -> None:
        self.host.write_block(self.host.blocks(label)[0].id, text)

    def tuner_runs(self) -> list[Mapping[str, Any]]:
        with self.stack.letta() as letta:
            found = letta.get("/runs/", params={"agent_id": self.agent("tuner").id, "limit": 100}).json()
        return list({run["id"]: run for run in found}.values())


@pytest.fixture(scope="module")
def deployment(stack: Stack) -> Iterator[Deployment]:
    for row in ROWS:
        shutil.copy(CLIPS / row["file"], stack.settings.roots[0])
    shutil.copy(CLIPS / "manifest.jsonl", stack.settings.roots[0])
    deployment = Deployment(stack)
    deploy(deployment.host, MANIFEST, deployment.options)
    yield deployment
    deployment.worker.close()


@pytest.fixture(autouse=True)
def brain(scripted: ScriptedBrain) -> ScriptedBrain:
    scripted.answer = rule_brain
    return scripted


def until(holds: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.5)


def test_deploying_again_changes_nothing_and_drift_is_mended(deployment: Deployment) -> None:
    host, options = deployment.host, deployment.options
    assert plan(host, MANIFEST, options).in_sync
    before = {name: host.agents(name)[0] for name in MANIFEST.agents}
    deploy(host, MANIFEST, options)
    assert {name: host.agents(name)[0] for name in MANIFEST.agents} == before
    verifier = before["agent-dqa-verifier"]
    host.update_agent(verifier.id, system="Be nice.", tool_rules=[])
    found = plan(host, MANIFEST, options)
    assert {d.field for c in found.changes for d in c.differences} == {"system", "tool_rules"}
    deploy(host, MANIFEST, options)
    assert host.agents(verifier.name)[0] == verifier
    exported = json.loads(host.export(verifier.id))
    assert "DQA_TOKEN" not in json.dumps(exported) or deployment.variables["DQA_TOKEN"] not in json.dumps(exported)


@pytest.mark.parametrize("row", ROWS[:3], ids=lambda row: row["file"])
def test_the_verifier_s_verdict_is_the_evaluator_s(deployment: Deployment, row: Mapping[str, str]) -> None:
    path = str(deployment.clips / row["file"])
    verdict = ask_verifier(deployment.host, path, row["prompt"], deployment.record)
    body = {"media": path, "prompt": row["prompt"], "wait": True}
    again = deployment.worker.post("/v1/evaluations", json=body).raise_for_status().json()
    for field in ("channels", "weights", "prompt_adherence", "final", "grade", "action", "reasoning", "advice"):
        assert verdict.record[field] == again[field]
    assert verdict.attempts == 1
    with deployment.stack.letta() as letta:
        memory = letta.get(f"/agents/{deployment.agent('verifier').id}/archival-memory").json()
    entries = [json.loads(passage["text"]) for passage in memory]
    (entry,) = [entry for entry in entries if entry["evaluation"] == verdict.record["id"]]
    assert (entry["video_id"], entry["grade"]) == (path, verdict.record["grade"])


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda request: {"text": "The grade is A+, final score 0.99."}, id="plain text"),
        pytest.param(
            lambda request: {"tool": "final_verdict", "arguments": {"media": "x", "prompt": "y"}}, id="wrong tool"
        ),
        pytest.param(lambda request: {"tool": "launch_rockets", "arguments": {}}, id="no such tool"),
    ],
)
def test_no_model_can_make_up_a_verdict(
    deployment: Deployment, brain: ScriptedBrain, answer: Callable[[Mapping[str, Any]], Reply]
) -> None:
    def stubborn(request: Mapping[str, Any]) -> Reply:
        return answer(request) if len(brain.requests) < 12 else {"text": "I give it an A."}

    brain.answer = stubborn
    with pytest.raises(NoVerdict):
        ask_verifier(deployment.host, str(deployment.clips / ROWS[0]["file"]), ROWS[0]["prompt"], deployment.record)


def test_invented_scores_in_the_arguments_don_t_reach_the_verdict(deployment: Deployment, brain: ScriptedBrain) -> None:
    def inventive(request: Mapping[str, Any]) -> Reply:
        reply = rule_brain(request)
        if "tool" in reply:
            return {**reply, "arguments": {**reply["arguments"], "score": 1.0, "grade": "A"}}
        return reply

    brain.answer = inventive
    path = str(deployment.clips / ROWS[1]["file"])
    try:
        verdict = ask_verifier(deployment.host, path, ROWS[1]["prompt"], deployment.record)
    except NoVerdict:
        return
    assert verdict.record == deployment.record(verdict.record["id"])


def test_the_director_refines_with_the_advice_and_stops_at_the_limit(deployment: Deployment) -> None:
    standards = deployment.block("quality_standards")
    deployment.write("quality_standards", blocks.update(standards, {"MIN_ACCEPTABLE_GRADE": "A", "MAX_RETRIES": 1}))
    # Clips of this very prompt are in the folder: they are graded well below A, and not left to a person to look at.
    (row,) = [row for row in ROWS if row["file"] == "wan21_07_base.mp4"]
    brief = f"Make a video of {row['prompt']}"
    turn = deployment.say("director", brief)
    deployment.write("quality_standards", standards)
    decisions = [json.loads(m.text)["decision"] for m in turn.returns("decide_next")]
    assert decisions == ["refine", "deliver"]
    (delivered,) = [json.loads(m.text) for m in turn.returns("deliver_video")]
    assert delivered["attempts"] == len(decisions)
    assert delivered["grade"] == deployment.record(delivered["id"])["grade"]
    shots = [json.loads(m.text) for m in turn.returns("ask_cameraman")]
    assert [shot.get("attempt") for shot in shots] == list(range(1, len(shots) + 1)), shots
    assert "rule brain, not a language model" in turn.reply
    run = deployment.worker.get(f"/v1/refinements/{delivered['refinement']}").raise_for_status().json()
    assert [cycle["evaluation"] for cycle in run["cycles"]] == [shot["id"] for shot in shots]
    assert (run["outcome"], run["best"]) == (delivered["outcome"], delivered["id"])
    assert run["outcome"] in ("exhausted", "review")
    assert run["brief"] == brief


def test_the_director_has_two_variations_made_and_names_the_page_to_choose_on(deployment: Deployment) -> None:
    before = deployment.block("ab_testing")
    turn = deployment.say("director", "Make two variations of it")
    (made,) = [json.loads(m.text) for m in turn.returns("ab_variations")]
    assert made.get("choose", made) in turn.reply
    block = blocks.parse(deployment.block("ab_testing"))
    assert blocks.value(block, "ACTIVE_TEST") == made["test_id"]
    ids = [blocks.value(block, f"VARIATION_{side}_ID") for side in "AB"]
    assert ids == [made["a"]["id"], made["b"]["id"]]
    assert {deployment.record(str(name))["prompt"] for name in ids} == {made["prompt"]}
    deployment.write("ab_testing", before)


def choices(number: int, ids: list[str], first: int = 0) -> list[dict[str, str]]:
    shapes = [
        {"chosen": ids[0], "rejected": ids[1]},
        {"variation_a": ids[1], "variation_b": ids[0], "chosen": "variation_b"},
    ]
    return [{"test_id": f"t{first + i}", "timestamp": "2026", **shapes[i % 2]} for i in range(number)]


def two_evaluations(deployment: Deployment) -> list[str]:
    ids: list[str] = []
    for row in ROWS[:2]:
        body = {"media": str(deployment.clips / row["file"]), "prompt": row["prompt"], "wait": True}
        ids.append(deployment.worker.post("/v1/evaluations", json=body).raise_for_status().json()["id"])
    return ids


def test_eleven_turns_wake_the_tuner_twice_and_each_choice_counts_once(deployment: Deployment) -> None:
    host, director, tuner = deployment.host, deployment.agent("director"), deployment.agent("tuner")
    (group,) = host.groups(director.id)
    host.delete_group(group.id)
    made = host.create_group(director.id, tuner.id, 5)  # counted from here
    assert deployment.options.reset_counter is not None
    deployment.options.reset_counter(made.id)
    known = {run["id"] for run in deployment.tuner_runs()}
    text = "# the studio's\nSTUDIO: keep me\n" + blocks.first_text(
        "lines", {"USER_SELECTIONS": [*choices(5, two_evaluations(deployment)), {"test_id": "bad"}]}
    )
    deployment.write("ab_testing", text)
    fired = [turn for turn in range(1, 12) if deployment.say("director", "hello").run_ids]
    assert fired == [5, 10]
    until(lambda: sum(run["status"] == "completed" for run in deployment.tuner_runs() if run["id"] not in known) == 2)
    state = deployment.worker.get("/v1/tuner").json()
    assert [step["new_choices"] for step in state["steps"]] == [5]
    assert deployment.block("ab_testing") == text
    standards = blocks.parse(deployment.block("quality_standards"))
    assert isinstance(blocks.value(standards, "FAILURE_PATTERNS"), list)
    assert blocks.value(standards, "MODEL_CONFIDENCE") == pytest.approx(state["steps"][0]["model_confidence"], abs=1e-3)
    assert "TRAINING_METRICS" in deployment.block("session_state")
    with deployment.stack.letta() as letta:
        memory = letta.get(f"/agents/{tuner.id}/archival-memory").json()
    assert sum("training step 1;" in passage["text"] for passage in memory) == 1


def test_overlapping_triggers_and_a_killed_worker_consume_each_choice_once(deployment: Deployment) -> None:
    before = deployment.worker.get("/v1/tuner").json()["steps"]
    done = before[0]["choices_seen"] if before else 0
    text = blocks.first_text("json", {"NOTE": "mine", "USER_SELECTIONS": choices(20, two_evaluations(deployment), 100)})
    deployment.write("ab_testing", text)
    tuner = deployment.agent("tuner").id
    with ThreadPoolExecutor(3) as pool:
        turns = [pool.submit(deployment.host.send, tuner, "wake up", PATIENCE) for _ in range(2)]
        time.sleep(2.0)
        for process in psutil.process_iter(["cmdline"]):
            line = process.info["cmdline"] or []
            with contextlib.suppress(psutil.Error):  # another test's, which may end at any moment
                if "serve" in line and "dqa" in line and str(deployment.stack.settings.home) in str(process.environ()):
                    process.kill()
        for turn in turns:
            turn.result()
    until(lambda: deployment.worker.get("/readyz").status_code == 200)
    deployment.say("tuner", "wake up")
    steps = deployment.worker.get("/v1/tuner").json()["steps"]
    assert steps[0]["choices_seen"] == done + 20
    assert sum(step["new_choices"] for step in steps) == done + 20
    assert deployment.block("ab_testing") == text


def test_500_selections_and_a_broken_block(deployment: Deployment) -> None:
    ids = two_evaluations(deployment)
    deployment.write("ab_testing", blocks.first_text("lines", {"USER_SELECTIONS": choices(500, ids, 1000)}))
    (answer,) = deployment.say("tuner", "wake up").returns("read_user_selections")
    assert json.loads(answer.text)["imported"] == 500
    good = json.dumps({"test_id": "x1", "chosen": ids[0], "rejected": ids[1]})
    broken = f'{{"A": 1, "USER_SELECTIONS": [{good}, {{oops]'
    deployment.write("ab_testing", broken)
    (answer,) = deployment.say("tuner", "wake up").returns("read_user_selections")
    told = json.loads(answer.text)
    assert told["imported"] == 1
    assert told["problems"]
    assert deployment.block("ab_testing") == broken
    deployment.write("ab_testing", "USER_SELECTIONS: []\n")


def test_the_calibrator_climbs_from_a_wrong_prompt(
    deployment: Deployment, brain: ScriptedBrain, tmp_path: Path
) -> None:
    told: list[str] = []
    editor = AgentEditor(deployment.host, find_calibrator(deployment.host), {}, told.append, PATIENCE)
    wanted = "a small yellow square on a red background"
    outcome = climbed(tmp_path, Local(), "a small white square on a blue background", wanted, editor)
    assert outcome.reason == "target"
    assert outcome.climb.standing(outcome.best).mismatches == 0
    assert outcome.best.prompt != outcome.climb.steps[0].prompt
    assert all(len(step.axes) == 1 for step in outcome.climb.steps[1:])
    assert told == []
    assert len(brain.requests) == len(outcome.climb.steps) - 1, "a correction is one turn of one step"
    shown = [json.dumps(request["messages"]) for request in brain.requests]
    assert all(text.count(OPENING) == 1 for text in shown), "a turn begins without the tasks of earlier ones"


def test_what_the_calibrator_says_in_words_is_no_correction(deployment: Deployment, brain: ScriptedBrain) -> None:
    brain.answer = lambda request: {"text": "The new prompt is: a fox, dark."}
    told: list[str] = []
    editor = AgentEditor(deployment.host, find_calibrator(deployment.host), {}, told.append, PATIENCE)
    target = Target(default_axes()["brightness"], "dark", "bright", "mismatch")
    assert editor.propose(EditRequest("a fox", (target,), "")) is None
    assert "without propose_edit; it said: The new prompt is" in told[0]


def test_streaming_chat_as_the_development_environment_does_it(deployment: Deployment) -> None:
    body = {"messages": [{"role": "user", "content": "What can you do?"}], "stream_tokens": True}
    path = f"/agents/{deployment.agent('director').id}/messages/stream"
    with deployment.stack.letta() as letta, letta.stream("POST", path, json=body) as answer:
        assert answer.status_code == 200
        events = [line[6:] for line in answer.iter_lines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    parts = [json.loads(event) for event in events[:-1]]
    text = "".join(str(p.get("content")) for p in parts if p["message_type"] == "assistant_message")
    assert "rule brain, not a language model" in text


def test_attaching_to_somebody_s_agent_and_taking_it_back(deployment: Deployment) -> None:
    host = deployment.host
    spec = AgentSpec("studio", "letta_v1_agent", "d", "You direct.", endpoint.HANDLE, endpoint.EMBEDDING, (), (), ())
    made = host.create_agent(spec, tool_ids=[], block_ids=[], tags=["studio"], metadata={"mine": 1})
    before = host.agent(made.id)
    attach(host, before, MANIFEST, deployment.options, tuner=True)
    row = ROWS[2]
    turn = host.send(made.id, request_text(str(deployment.clips / row["file"]), row["prompt"]), PATIENCE)
    verdict = json.loads(turn.returns("verify_video")[-1].text)
    assert verdict["grade"] == deployment.record(verdict["id"])["grade"]
    detach(host, host.agent(made.id))
    assert host.agent(made.id) == before
    assert host.groups(made.id) == []
    host.delete_agent(made.id)
    assert plan(host, MANIFEST, deployment.options).in_sync


def test_a_worker_that_is_down_is_said_and_no_verdict(deployment: Deployment) -> None:
    verifier = deployment.agent("verifier")
    deployment.host.update_agent(verifier.id, secrets={**verifier.environment, "DQA_URL": "http://127.0.0.1:9"})
    row = ROWS[0]
    try:
        turn = deployment.say("verifier", request_text(str(deployment.clips / row["file"]), row["prompt"]))
    finally:
        deployment.host.update_agent(verifier.id, secrets=dict(verifier.environment))
    told = json.loads(turn.returns("final_verdict")[-1].text)
    assert "worker does not answer" in told["error"]
    assert "dqa up" in told["fix"]
    assert set(told) == {"error", "fix"}

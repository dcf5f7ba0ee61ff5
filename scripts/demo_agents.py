"""The deployment, whole: `dqa up`, clips graded through the Director and its Verifier, five choices, the Tuner wakes.

Everything a user would do: commands, and messages to the Director as a chat window sends them. Ends with `dqa down`.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx

from dqa.synthesis import final_text

ROOT = Path(__file__).parents[1]
CLIPS = ROOT / "tests" / "data" / "clips"
DQA = Path(sys.executable).parent / "dqa"
DIRECTOR, TUNER = "agent-dqa-director", "agent-dqa-tuner-sleeptime"
WAKES_AFTER = 5


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Deployment:
    """A deployment of its own: its state folder, free ports, and clips where every process may read them."""

    def __init__(self, home: Path) -> None:
        self.home, self.kept = home, home.parent
        # Letta's tools may run as another user than ours, who can't enter a checkout under somebody's home.
        self.clips = Path(tempfile.mkdtemp(prefix="dqa-demo-clips-"))
        self.clips.chmod(0o755)
        for file in CLIPS.iterdir():
            shutil.copy(file, self.clips)
        self.ports = {"--port": free_port(), "--letta-port": free_port(), "--brain-port": free_port()}
        self.environ = {
            **os.environ,
            "DQA_HOME": str(home),
            "DQA_PORT": str(self.ports["--port"]),
            "DQA_ROOTS": str(self.clips),
            "DQA_CLIPS": str(self.clips),
        }
        self.rows = [json.loads(line) for line in (self.clips / "manifest.jsonl").read_text().splitlines()]

    def dqa(self, *arguments: str, show: bool = True) -> str:
        """Runs one `dqa` command; stops the demo if it fails."""
        if show:
            print("$ dqa " + " ".join(f'"{a}"' if " " in a else a for a in arguments), flush=True)
        done = subprocess.run(
            [str(DQA), *arguments], env=self.environ, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"dqa {arguments[0]} ended with {done.returncode}")
        return done.stdout

    def up(self) -> None:
        self.dqa("up", *(str(part) for option in self.ports.items() for part in option))
        status = json.loads(self.dqa("status", "--json", show=False))
        self.letta_url = status["letta"]["url"]
        self.agents = {name: agent["id"] for name, agent in status["agents"].items()}
        password = Path(status["letta"]["password_file"]).read_text().strip()
        self.letta = httpx.Client(base_url=status["letta"]["url"], headers={"Authorization": f"Bearer {password}"})
        self.service_url = status["service"]["url"]
        print(f"   worker {status['service']['url']}, Letta {status['letta']['url']}, {len(self.agents)} agents")

    def say(self, text: str) -> str:
        """One turn of the Director: what it answers in words."""
        print(f"   you:      {text}", flush=True)
        sent = self.letta.post(
            f"/v1/agents/{self.agents[DIRECTOR]}/messages",
            json={"messages": [{"role": "user", "content": text}]},
            timeout=600,
        )
        messages = sent.raise_for_status().json()["messages"]
        words = [m["content"] for m in messages if m["message_type"] == "assistant_message"]
        print(f"   Director: {words[-1] if words else '(no answer in words)'}", flush=True)
        return str(words[-1]) if words else ""

    def block(self, label: str) -> str:
        blocks = self.letta.get("/v1/blocks/", params={"label": label}).raise_for_status().json()
        return str(blocks[0]["value"])

    def archive(self, agent: str) -> list[dict[str, Any]]:
        found = self.letta.get(
            f"/v1/agents/{self.agents[agent]}/archival-memory", params={"limit": 5, "ascending": False}
        )
        return list(found.raise_for_status().json())

    def tuner_steps(self) -> list[dict[str, Any]]:
        lines = self.dqa("tuner", "history", "--json", show=False).splitlines()
        return [json.loads(line) for line in lines]


def show(home: Path) -> None:
    """Runs the demonstration; leaves nothing running."""
    deployment = Deployment(home)
    try:
        deployment.up()
        run(deployment)
    finally:
        deployment.dqa("down")
        shutil.rmtree(deployment.clips, ignore_errors=True)


def run(deployment: Deployment) -> None:
    records = grade(deployment)
    ids = {clip: str(record["id"]) for clip, record in records.items()}
    choose_five(deployment, ids)
    print("\n   A brief, so that the Writer and the Cameraman work too; it is the Director's fifth turn:")
    deployment.say("Make a clip of a desert with golden sands at sunset.")
    steps = wait_for_the_tuner(deployment)
    last = steps[0]
    print(f"   The Tuner woke: step {last['training_step']}, loss {last['loss']:.3f}, {last['choices_seen']} choices")
    for label in ("quality_standards", "session_state"):
        print(f"   {label}:")
        print("\n".join(f"      {line[:150]}" for line in deployment.block(label).splitlines() if line.strip()))
    print("   The Tuner's archival memory:")
    for passage in deployment.archive(TUNER)[:2]:
        print(f"      {passage['text'][:160]}")
    learn_more(deployment, ids, records)


def grade(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Four turns of the Director, whose Verifier grades a clip each; then the records of all clips, by clip id."""
    for row in deployment.rows[:4]:
        deployment.say(f"Please grade the clip {deployment.clips / row['file']} made from this prompt: {row['prompt']}")
    return {row["id"]: evaluated(deployment, row) for row in deployment.rows}


def evaluated(deployment: Deployment, row: dict[str, Any]) -> dict[str, Any]:
    """The record of one clip."""
    clip = str(deployment.clips / row["file"])
    record: dict[str, Any] = json.loads(
        deployment.dqa("evaluate", clip, "--prompt", row["prompt"], "--json", "-q", show=False)
    )
    return record


def preferred(one: str, other: str) -> bool:
    """The demo's user: likes the preference-tuned generator's clips, then quiet landscapes, then the rest."""
    order = ("flex", "cogvideox", "base", "frozen")

    def rank(clip: str) -> int:
        return next(i for i, word in enumerate(order) if word in clip)

    return rank(one) <= rank(other)


def choose_five(deployment: Deployment, ids: dict[str, str]) -> None:
    print("\n   Five choices:")
    for number, (one, other) in enumerate(list(combinations(ids, 2))[:5]):
        chosen = "a" if preferred(one, other) else "b"
        deployment.dqa("choose", "--a", ids[one], "--b", ids[other], "--chosen", chosen, "--test-id", f"demo-{number}")


def wait_for_the_tuner(deployment: Deployment, patience_s: float = 240) -> list[dict[str, Any]]:
    """Until a training step is there and the agent has written its archive: it runs in the background."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        steps = deployment.tuner_steps()
        if steps and deployment.archive(TUNER):
            return steps
        time.sleep(2)
    raise SystemExit("the Tuner did not wake; see the logs in .demo/home/logs")


def learn_more(deployment: Deployment, ids: dict[str, str], records: dict[str, dict[str, Any]]) -> None:
    """All other pairs chosen, too: then the taste knows enough to move a grade."""
    page = Page(deployment)
    shown = page.choose()
    pairs = [(a, b) for a, b in list(combinations(ids, 2))[5:] if frozenset((ids[a], ids[b])) not in shown]
    lines = [
        {"test_id": f"demo-{n}", "a": ids[a], "b": ids[b], "chosen": "a" if preferred(a, b) else "b"}
        for n, (a, b) in enumerate(pairs, start=5)
    ]
    file = deployment.clips / "choices.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    print(f"\n   {len(lines)} more choices, learned at once; then the same clips again:")
    deployment.dqa("choose", "--import", str(file), "--json")
    deployment.dqa("tuner", "step")
    print(deployment.dqa("tuner", "status").rstrip())
    new = {row["id"]: again(deployment, row, records[row["id"]]) for row in deployment.rows}
    moved = sum(records[clip]["grade"] != record["grade"] for clip, record in new.items())
    print(f"   {moved} of {len(new)} grades moved.")
    near_tie(records, new)
    page.keep(deployment.kept / "taste.html")


def again(deployment: Deployment, row: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """Grades a clip once more and shows what the taste made of it."""
    new = evaluated(deployment, row)
    taste = new["channels"]["preference"]
    said = taste["reason"] if taste["score"] is None else f"preference {taste['score']:.2f}"
    before, after = (f"{record['grade']} {final_text(record['final'])}" for record in (old, new))
    print(f"   {row['id']}: {before} -> {after} ({said})")
    return new


def near_tie(old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]]) -> None:
    """The two clips of one prompt that were closest before: what the taste makes of them."""
    pairs = [(a, b) for a, b in combinations(old, 2) if old[a]["prompt"] == old[b]["prompt"]]
    a, b = min(pairs, key=lambda pair: abs(old[pair[0]]["final"] - old[pair[1]]["final"]))
    before, after = (
        ", ".join(f"{clip} {records[clip]['grade']} {final_text(records[clip]['final'])}" for clip in (a, b))
        for records in (old, new)
    )
    print(f"   A near-tie of one prompt, before: {before}; now: {after}.")


class Page:
    """What the page /choose does for whoever sits before it: asks for a pair, shows it blind, sends the choice."""

    pairs = 3

    def __init__(self, deployment: Deployment) -> None:
        secret = deployment.home / "secrets" / "token"
        token = {"Authorization": f"Bearer {secret.read_text().strip()}"} if secret.exists() else {}
        self.http = httpx.Client(base_url=deployment.service_url, headers=token, timeout=120)

    def choose(self) -> set[frozenset[str]]:
        """A few choices, each predicted before it is known and learned at once; the pairs that were asked."""
        print(f"\n   {self.pairs} choices as the page makes them ({self.http.base_url}/choose):")
        asked = set[frozenset[str]]()
        for _ in range(self.pairs):
            pair = self.http.get("/v1/pairs/next").raise_for_status().json()
            a, b = pair["a"]["id"], pair["b"]["id"]
            names = {clip: self.name(clip) for clip in (a, b)}
            chosen = "a" if preferred(names[a], names[b]) else "b"
            body = {
                "test_id": pair["test_id"],
                "a": a,
                "b": b,
                "chosen": chosen,
                "left": pair["left"],
                "why": ["motion"],
            }
            told = self.http.get("/v1/tuner/predictions", params={"a": a, "b": b}).raise_for_status().json()
            self.http.post("/v1/selections", json=body).raise_for_status()
            step = self.http.post("/v1/tuner/steps", json={}).raise_for_status().json()
            chance = told["p_a"] if chosen == "a" else 1 - told["p_a"]
            unsure = ", still learning" if told["abstained"] else ""
            print(
                f"      {names[a]} or {names[b]}? {names[pair[chosen]['id']]}: expected with {chance:.0%}{unsure}",
                end="",
            )
            print(f"; taste version {step['training_step']}")
            asked.add(frozenset((a, b)))
        return asked

    def name(self, evaluation: str) -> str:
        """The clip's file name: what nobody before the page is told."""
        record = self.http.get(f"/v1/evaluations/{evaluation}").raise_for_status().json()
        return Path(record["reproduce"]["media"]).stem

    def keep(self, file: Path) -> None:
        """The taste page as it stands, as a file."""
        answer = self.http.get("/taste").raise_for_status()
        file.write_text(answer.text, encoding="utf-8")
        print(f"   the taste page: {file.relative_to(ROOT)} (live: dqa up, then {self.http.base_url}/taste)")

"""dqa agents: what it prints, what it changes, how it ends, against a host in memory."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dqa.agenthost.double import ScriptedHost
from dqa.agenthost.port import AgentSpec, HostTool
from tests.cli.conftest import Run

URL = ("--letta-url", "http://letta.test")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> ScriptedHost:
    host = ScriptedHost()
    monkeypatch.setattr("dqa.agenthost.letta.LettaHost", lambda url, key: host)
    monkeypatch.setenv("DQA_AGENT_MODEL", "p/model")
    monkeypatch.setenv("DQA_TOKEN", "canary-token")
    monkeypatch.delenv("LETTA_API_KEY", raising=False)
    return host


def test_deploy_shows_then_does_then_has_nothing_to_do(cli: Run, host: ScriptedHost) -> None:
    dry = cli("agents", "deploy", "--dry-run", *URL)
    assert (dry.code, host.changes) == (0, [])
    assert "create    agent  agent-dqa-verifier" in dry.out
    assert "nothing was changed" in dry.err
    done = cli("agents", "deploy", "--json", *URL)
    assert done.code == 0
    assert set(done.json["agents"]) == {agent.name for agent in host.all_agents.values()}
    host.changes.clear()
    again = cli("agents", "deploy", "--json", *URL)
    assert (again.json["in_sync"], host.changes) == (True, [])
    assert "canary-token" not in dry.out + done.out + again.out


def test_status_shows_drift_line_by_line(cli: Run, host: ScriptedHost) -> None:
    cli("agents", "deploy", *URL)
    verifier = host.agents("agent-dqa-verifier")[0]
    host.all_agents[verifier.id] = replace(verifier, system="Be nice.")
    shown = cli("agents", "status", *URL)
    assert shown.code == 0
    assert "    -Be nice." in shown.out
    assert "    +You are the Verifier of DQA." in shown.out
    told = cli("agents", "status", "--json", *URL).json
    assert (told["in_sync"], told["agents"]["agent-dqa-verifier"]["in_sync"]) == (False, False)


def test_what_is_not_ours_ends_with_2_and_one_sentence(cli: Run, host: ScriptedHost) -> None:
    host.all_tools["tool-1"] = HostTool("tool-1", "final_verdict", "theirs")
    done = cli("agents", "deploy", *URL)
    assert (done.code, done.out, host.changes) == (2, "", [])
    assert "not ours to change: tool final_verdict" in done.err


def test_export_writes_a_file_an_agent(cli: Run, host: ScriptedHost, tmp_path: Path) -> None:
    assert cli("agents", "export", "--output", tmp_path / "af", *URL).code == 2
    cli("agents", "deploy", *URL)
    paths = cli("agents", "export", "--output", tmp_path / "af", "--json", *URL).json
    assert len(paths) == 6
    assert all("agents" in json.loads(Path(path).read_text()) for path in paths)


def test_attach_and_detach(cli: Run, host: ScriptedHost) -> None:
    cli("agents", "deploy", *URL)
    spec = AgentSpec("studio", "letta_v1_agent", "", "", "", "", (), (), ())
    before = host.create_agent(spec, tool_ids=[], block_ids=[], tags=[], metadata={})
    given = cli("agents", "attach", "--agent", "studio", "--tuner", "--json", *URL).json
    assert (given["tools"], given["tuner"]) == (["verify_video"], True)
    assert "nothing had to be given" in cli("agents", "attach", "--agent", "studio", *URL).out
    assert "taken back: tools verify_video" in cli("agents", "detach", "--agent", before.id, *URL).out
    assert replace(host.agent(before.id), sleeptime=False) == before
    missing = cli("agents", "attach", "--agent", "nobody", *URL)
    assert (missing.code, missing.out) == (2, "")


def test_without_a_server_it_says_how_to_start_one(cli: Run) -> None:
    done = cli("agents", "status")
    assert done.code == 4
    assert "dqa up" in done.err
    assert "Traceback" not in done.err


def test_a_server_of_others_needs_a_model(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DQA_AGENT_MODEL", raising=False)
    done = cli("agents", "status", *URL)
    assert done.code == 2
    assert "DQA_AGENT_MODEL" in done.err

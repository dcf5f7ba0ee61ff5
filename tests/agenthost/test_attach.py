"""Attaching to an agent that somebody has, and taking back exactly that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dqa.agenthost.attach import attach, detach, find_agent
from dqa.agenthost.deploy import Options, deploy
from dqa.agenthost.double import ScriptedHost
from dqa.agenthost.manifest import load_manifest
from dqa.agenthost.port import AgentSpec, HostAgent
from dqa.errors import Conflict, UsageError

MANIFEST = load_manifest()
VALUES = {"DQA_URL": "http://w", "DQA_LETTA_URL": "http://l", "DQA_LETTA_KEY": "k"}
OPTIONS = Options("p/m", "p/e", VALUES, reset_counter=lambda _: None)
SPEC = AgentSpec("studio", "letta_v1_agent", "d", "You direct.", "p/m", "p/e", (), (), ())


@pytest.fixture
def host() -> ScriptedHost:
    host = ScriptedHost()
    deploy(host, MANIFEST, OPTIONS)
    return host


def theirs(host: ScriptedHost, *blocks: str) -> HostAgent:
    made = host.create_agent(SPEC, tool_ids=[], block_ids=blocks, tags=["studio"], metadata={"mine": 1})
    host.update_agent(made.id, secrets={"MINE": "1", "DQA_URL": "http://their-own"})
    return host.agent(made.id)


@pytest.mark.parametrize("tuner", [False, True])
def test_detach_takes_back_exactly_what_attach_gave(host: ScriptedHost, tuner: bool) -> None:
    before = theirs(host)
    given = attach(host, before, MANIFEST, OPTIONS, tuner=tuner)
    agent = host.agent(before.id)
    assert given.tools == ("verify_video",) == tuple(agent.tool_names)
    assert set(agent.block_ids) == set(MANIFEST.blocks)
    assert agent.environment == {**VALUES, "MINE": "1", "DQA_URL": "http://their-own"}
    assert len(host.groups(agent.id)) == tuner
    detach(host, agent)
    assert host.agent(before.id) == before
    assert host.groups(before.id) == []
    assert len(host.groups(host.agents("agent-dqa-director")[0].id)) == 1


def test_attaching_twice_changes_nothing(host: ScriptedHost) -> None:
    before = theirs(host)
    attach(host, before, MANIFEST, OPTIONS, tuner=True)
    host.changes.clear()
    again = attach(host, host.agent(before.id), MANIFEST, OPTIONS, tuner=True)
    assert host.changes == []
    assert (again.tools, again.blocks, again.variables, again.tuner) == ((), (), (), False)
    detach(host, host.agent(before.id))
    host.changes.clear()
    detach(host, host.agent(before.id))
    assert host.changes == []


def test_their_own_tool_and_blocks_stay_theirs(host: ScriptedHost) -> None:
    own = host.create_block("quality_standards", "MINE: 1", "theirs", 9, [])
    agent = theirs(host, own.id)
    host.attach_tool(agent.id, host.tools(["verify_video"])[0].id)
    before = host.agent(agent.id)
    attach(host, before, MANIFEST, OPTIONS)
    assert host.agent(agent.id).block_ids["quality_standards"] == own.id
    detach(host, host.agent(agent.id))
    assert host.agent(agent.id) == before


def test_a_refusal_leaves_nothing_behind(host: ScriptedHost) -> None:
    own = host.create_block("quality_standards", "MINE: 1", "theirs", 9, [])
    before = theirs(host, own.id)
    host.changes.clear()
    with pytest.raises(Conflict, match="block 'quality_standards' of its own"):
        attach(host, before, MANIFEST, OPTIONS, tuner=True)
    host.create_group(before.id, "agent-somebody", 5)
    with pytest.raises(Conflict, match="already has a sleeptime agent"):
        attach(host, before, MANIFEST, OPTIONS, tuner=True)
    assert host.changes == ["group"]
    with pytest.raises(Conflict, match="not deployed"):
        attach(ScriptedHost(), before, MANIFEST, OPTIONS)


def test_an_agent_is_found_by_id_or_by_its_only_name(host: ScriptedHost) -> None:
    one = theirs(host)
    assert find_agent(host, "studio").id == find_agent(host, one.id).id == one.id
    theirs(host)
    with pytest.raises(UsageError, match="2 agents have the name"):
        find_agent(host, "studio")
    with pytest.raises(UsageError, match="no agent 'nobody'"):
        find_agent(host, "nobody")


def test_a_token_that_changed_is_renewed(host: ScriptedHost) -> None:
    before = theirs(host)
    attach(host, before, MANIFEST, OPTIONS)
    newer = replace(OPTIONS, environment={**VALUES, "DQA_LETTA_KEY": "k2", "DQA_URL": "http://w2"})
    given = attach(host, host.agent(before.id), MANIFEST, newer)
    assert given.variables == ("DQA_LETTA_KEY",)
    assert host.agent(before.id).environment["DQA_URL"] == "http://their-own"

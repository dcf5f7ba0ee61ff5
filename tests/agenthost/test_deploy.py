"""Deploying against a host in memory: idempotent, careful with what is not ours, clear about what drifted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dqa.agenthost.deploy import Options, deploy, plan
from dqa.agenthost.double import ScriptedHost
from dqa.agenthost.manifest import load_manifest
from dqa.agenthost.port import HostAgent, HostBlock, HostTool
from dqa.agenthost.sleeptime import WARM_UP
from dqa.errors import Conflict

MANIFEST = load_manifest()
SECRET = "canary-token"
OPTIONS = Options("p/model", "p/embedding", {"DQA_URL": "http://w", "DQA_TOKEN": SECRET}, reset_counter=lambda _: None)
VERIFIER = "agent-dqa-verifier"
DIRECTOR = "agent-dqa-director"
TUNER = "agent-dqa-tuner-sleeptime"


def deployed() -> ScriptedHost:
    host = ScriptedHost()
    deploy(host, MANIFEST, OPTIONS)
    host.changes.clear()
    return host


def one(host: ScriptedHost, name: str) -> HostAgent:
    (agent,) = host.agents(name)
    return agent


def test_the_second_time_changes_nothing() -> None:
    host = deployed()
    report = deploy(host, MANIFEST, OPTIONS)
    assert host.changes == []
    assert report.in_sync
    assert {name: entry["in_sync"] for name, entry in report.agents().items()} == dict.fromkeys(MANIFEST.agents, True)


def test_an_agent_is_as_its_folder_says() -> None:
    host = deployed()
    verifier = one(host, VERIFIER)
    assert set(verifier.tool_names) == set(MANIFEST.agent("verifier").tools)
    assert verifier.environment == {"DQA_URL": "http://w", "DQA_TOKEN": SECRET}
    assert verifier.tags == ("dqa",)
    (group,) = host.groups(one(host, DIRECTOR).id)
    assert (group.agent_ids, group.frequency) == ((one(host, TUNER).id,), 5)
    assert one(host, DIRECTOR).sleeptime
    assert one(host, TUNER).autoclear


def test_a_plan_changes_nothing_and_names_everything() -> None:
    host = ScriptedHost()
    report = plan(host, MANIFEST, OPTIONS)
    assert host.changes == []
    assert {change.action for change in report.changes} == {"create"}
    assert len(report.changes) == len(MANIFEST.tools) + len(MANIFEST.blocks) + len(MANIFEST.agents) + 1


def test_drift_is_shown_and_mended() -> None:
    host = deployed()
    verifier = one(host, VERIFIER)
    host.all_agents[verifier.id] = replace(verifier, system="be nice", rules=(), environment={}, tool_names={})
    tool = next(tool for tool in host.all_tools.values() if tool.name == "final_verdict")
    host.all_tools[tool.id] = replace(tool, source="def final_verdict(): 'altered'")
    found = plan(host, MANIFEST, OPTIONS)
    drifted = {c.name: {d.field for d in c.differences} for c in found.changes if c.needed}
    assert drifted == {"final_verdict": {"source"}, VERIFIER: {"system", "tool_rules", "tools", "environment"}}
    assert not found.agents()[VERIFIER]["in_sync"]
    deploy(host, MANIFEST, OPTIONS)
    assert plan(host, MANIFEST, OPTIONS).in_sync


def test_no_difference_shows_a_secret() -> None:
    host = deployed()
    verifier = one(host, VERIFIER)
    host.all_agents[verifier.id] = replace(verifier, environment={"DQA_TOKEN": "older-canary"})
    text = repr(plan(host, MANIFEST, OPTIONS))
    assert "DQA_TOKEN" in text
    assert "canary" not in text


@pytest.mark.parametrize("what", ["tool", "agent"])
def test_what_is_not_tagged_stops_everything_before_it_begins(what: str) -> None:
    host = ScriptedHost()
    if what == "tool":
        host.all_tools["tool-1"] = HostTool("tool-1", "final_verdict", "def final_verdict(): 'theirs'")
    else:
        other = deployed()
        host.all_agents["agent-1"] = replace(one(other, VERIFIER), tags=("theirs",), tool_names={})
    with pytest.raises(Conflict, match="not ours to change"):
        deploy(host, MANIFEST, OPTIONS)
    assert host.changes == []


def test_what_a_block_holds_is_never_overwritten() -> None:
    host = deployed()
    (block,) = host.blocks("ab_testing")
    host.all_blocks[block.id] = replace(block, value="MINE: 1", description="old", limit=7)
    deploy(host, MANIFEST, OPTIONS)
    (after,) = host.blocks("ab_testing")
    assert after.value == "MINE: 1"
    assert after.limit == MANIFEST.blocks["ab_testing"].limit
    assert not any(change.startswith("write") for change in host.changes)


def test_somebody_s_block_is_used_and_left_as_it_is() -> None:
    host = ScriptedHost()
    theirs = HostBlock("block-9", "ab_testing", "USER_SELECTIONS: []", "theirs", 10, ("studio",))
    host.all_blocks[theirs.id] = theirs
    deploy(host, MANIFEST, OPTIONS)
    assert host.all_blocks["block-9"] == theirs
    assert one(host, TUNER).block_ids["ab_testing"] == "block-9"
    host.all_blocks["block-8"] = replace(theirs, id="block-8")
    with pytest.raises(Conflict, match="2 blocks 'ab_testing'"):
        plan(host, MANIFEST, OPTIONS)


def test_further_tools_and_variables_of_an_agent_stay() -> None:
    host = deployed()
    extra = host.put_tool("def studio_tool():\n    'x'\n", ["studio"])
    verifier = one(host, VERIFIER)
    host.attach_tool(verifier.id, extra.id)
    host.update_agent(verifier.id, system="drift", secrets={**verifier.environment, "MINE": "1"})
    deploy(host, MANIFEST, OPTIONS)
    after = one(host, VERIFIER)
    assert "studio_tool" in after.tool_names
    assert after.environment["MINE"] == "1"


def test_the_counter_of_a_new_group_is_set_or_warmed_up_once() -> None:
    reset: list[str] = []
    host = ScriptedHost()
    deploy(host, MANIFEST, replace(OPTIONS, reset_counter=reset.append))
    assert reset == list(host.all_groups)
    assert host.sent == []
    foreign = ScriptedHost()
    for _ in range(2):
        deploy(foreign, MANIFEST, replace(OPTIONS, reset_counter=None))
    assert foreign.sent == [(one(foreign, DIRECTOR).id, WARM_UP)]


def test_a_director_with_another_sleeptime_agent_is_a_conflict() -> None:
    host = deployed()
    director = one(host, DIRECTOR)
    host.all_groups.clear()
    host.create_group(director.id, "agent-somebody", 3)
    with pytest.raises(Conflict, match="already has a sleeptime agent"):
        deploy(host, MANIFEST, OPTIONS)


def test_a_changed_frequency_is_mended() -> None:
    host = deployed()
    (group,) = host.all_groups.values()
    host.set_frequency(group, 9)
    deploy(host, MANIFEST, OPTIONS)
    assert next(iter(host.all_groups.values())).frequency == 5

"""Gives an agent that somebody already has the tool ``verify_video``, the shared blocks and, if wanted, the Tuner.

What was given is noted in the agent's own metadata, so that :func:`detach` takes back exactly that: a tool, block or
variable that was there before stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from dqa.agenthost import sleeptime
from dqa.agenthost.deploy import Options, find_block
from dqa.agenthost.manifest import Manifest, SleeptimeData
from dqa.agenthost.port import TAG, AgentHost, HostAgent
from dqa.errors import Conflict, UsageError

TOOL = "verify_video"
VARIABLES = ("DQA_URL", "DQA_TOKEN", "DQA_LETTA_URL", "DQA_LETTA_KEY")
_NOTE = "dqa_attached"


@dataclass(frozen=True)
class Attached:
    """What an agent was given, or was taken from it: names, in order."""

    agent_id: str
    tools: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    tuner: bool = False


def find_agent(host: AgentHost, name_or_id: str) -> HostAgent:
    """An agent by id or by name.

    Raises:
        UsageError: there is none, or several have that name.
    """
    if name_or_id.startswith("agent-") and (not (named := host.agents(name_or_id))):
        return host.agent(name_or_id)
    named = host.agents(name_or_id)
    if len(named) != 1:
        what = f"{len(named)} agents have the name {name_or_id!r}" if named else f"there is no agent {name_or_id!r}"
        raise UsageError(what, fix="give the agent's id" if named else "give the name or id of one that exists")
    return named[0]


def attach(
    host: AgentHost, agent: HostAgent, manifest: Manifest, options: Options, *, tuner: bool = False, frequency: int = 5
) -> Attached:
    """Attaches; a second time changes nothing. The agent's own blocks of the same label are used as they are.

    Raises:
        Conflict: DQA's agents are not deployed, or the agent has a sleeptime agent of somebody else's.
    """
    note = _note(agent)
    tools = {tool.name: tool for tool in host.tools([TOOL])}
    if TOOL not in tools or TAG not in tools[TOOL].tags:
        raise Conflict(f"the tool {TOOL} is not deployed", fix="run dqa agents deploy first")
    sleeper = _tuner(host, manifest) if tuner else None
    if sleeper is not None and any(sleeper.id not in group.agent_ids for group in host.groups(agent.id)):
        raise Conflict(f"agent {agent.name} already has a sleeptime agent", fix="attach without the Tuner")
    given_tools = _attach_tool(host, agent, tools[TOOL].id)
    given_blocks = _attach_blocks(host, agent, manifest, sleeper)
    variables = {name: options.environment[name] for name in VARIABLES if options.environment.get(name)}
    new = {name: value for name, value in variables.items() if agent.environment.get(name) != value}
    new = {n: v for n, v in new.items() if n not in agent.environment or n in note["variables"]}
    note = {
        "tools": sorted({*note["tools"], *given_tools}),
        "blocks": {**note["blocks"], **given_blocks},
        "variables": sorted({*note["variables"], *(n for n in new if n not in agent.environment)}),
        "group": note["group"],
        "sleeptime": note["sleeptime"],
    }
    _save(host, agent, note, {**agent.environment, **new})
    woken = False
    if sleeper is not None:
        already = agent.sleeptime
        made = sleeptime.connect(
            host, agent.id, sleeper.id, SleeptimeData(of=agent.name, frequency=frequency), options.reset_counter
        )
        if made is not None:
            woken = True
            _save(host, host.agent(agent.id), {**note, "group": made.id, "sleeptime": already}, None)
    return Attached(agent.id, tuple(given_tools), tuple(given_blocks), tuple(sorted(new)), woken)


def _attach_tool(host: AgentHost, agent: HostAgent, tool_id: str) -> list[str]:
    if TOOL in agent.tool_names:
        return []
    host.attach_tool(agent.id, tool_id)
    return [TOOL]


def _attach_blocks(host: AgentHost, agent: HostAgent, manifest: Manifest, sleeper: HostAgent | None) -> dict[str, str]:
    """Label -> id of the blocks that the agent now sees. The Tuner must see the same ones as whom it watches."""
    given: dict[str, str] = {}
    for label in manifest.blocks:
        theirs = agent.block_ids.get(label)
        ours = sleeper.block_ids.get(label) if sleeper is not None else None
        if theirs is not None and ours is not None and theirs != ours:
            raise Conflict(
                f"agent {agent.name} has a block {label!r} of its own, and the Tuner works on another",
                fix=f"tag the agent's block with {TAG!r}, delete the Tuner's, and run dqa agents deploy",
            )
        if theirs is None:
            block = find_block(host, label)
            if block is None:
                data = manifest.blocks[label]
                block = host.create_block(label, data.first_text, data.description, data.limit, [TAG])
            host.attach_block(agent.id, block.id)
            given[label] = block.id
    return given


def detach(host: AgentHost, agent: HostAgent) -> Attached:
    """Takes back exactly what :func:`attach` gave; the blocks themselves stay. A second time changes nothing."""
    note = _note(agent)
    for name in note["tools"]:
        if name in agent.tool_names:
            host.detach_tool(agent.id, agent.tool_names[name])
    for label, block_id in note["blocks"].items():
        if agent.block_ids.get(label) == block_id:
            host.detach_block(agent.id, block_id)
    group = next((g for g in host.groups(agent.id) if g.id == note["group"]), None)
    if group is not None:
        host.delete_group(group.id)
        if not note["sleeptime"]:
            host.update_agent(agent.id, enable_sleeptime=False, system=agent.system)
    environment = {name: value for name, value in agent.environment.items() if name not in note["variables"]}
    _save(host, agent, None, environment if note["variables"] else None)
    return Attached(agent.id, tuple(note["tools"]), tuple(note["blocks"]), tuple(note["variables"]), group is not None)


def _tuner(host: AgentHost, manifest: Manifest) -> HostAgent:
    name = next(agent.name for agent in manifest.agents.values() if agent.sleeptime is not None)
    found = [agent for agent in host.agents(name) if TAG in agent.tags]
    if not found:
        raise Conflict(f"the agent {name} is not deployed", fix="run dqa agents deploy first")
    return found[0]


def _note(agent: HostAgent) -> dict[str, Any]:
    kept = cast(dict[str, Any], agent.metadata.get(_NOTE) or {})
    empty: dict[str, Any] = {"tools": [], "blocks": {}, "variables": [], "group": None, "sleeptime": False}
    return {**empty, **kept}


def _save(
    host: AgentHost, agent: HostAgent, note: Mapping[str, Any] | None, environment: Mapping[str, str] | None
) -> None:
    """Writes only what differs, so that attaching twice changes nothing."""
    metadata = {key: value for key, value in agent.metadata.items() if key != _NOTE}
    if note is not None:
        metadata[_NOTE] = dict(note)
    changes: dict[str, Any] = {} if metadata == agent.metadata else {"metadata": metadata}
    if environment is not None and dict(environment) != dict(agent.environment):
        changes["secrets"] = dict(environment)
    if changes:
        host.update_agent(agent.id, **changes)

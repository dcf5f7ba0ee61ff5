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
    if sleeper is not None:
        _require_free(host, agent, sleeper, manifest)
    new_tools = [] if TOOL in agent.tool_names else [TOOL]
    new_blocks = {label: _block_for(host, manifest, label) for label in manifest.blocks if label not in agent.block_ids}
    variables = _new_variables(agent, options, note)
    # The note comes first: whatever fails after it, detach knows what may have been given.
    note = {
        **note,
        "tools": sorted({*note["tools"], *new_tools}),
        "blocks": {**note["blocks"], **new_blocks},
        "variables": sorted({*note["variables"], *(name for name in variables if name not in agent.environment)}),
    }
    _save(host, agent, note, {**agent.environment, **variables})
    for name in new_tools:
        host.attach_tool(agent.id, tools[name].id)
    for block_id in new_blocks.values():
        host.attach_block(agent.id, block_id)
    woken = sleeper is not None and _wake(host, agent, sleeper, note, options, frequency)
    return Attached(agent.id, tuple(new_tools), tuple(new_blocks), tuple(sorted(variables)), woken)


def _new_variables(agent: HostAgent, options: Options, note: Mapping[str, Any]) -> dict[str, str]:
    """The variables to set: those the agent lacks, and those that DQA set before and that have changed since."""
    wanted = {name: options.environment[name] for name in VARIABLES if options.environment.get(name)}
    ours = {name for name in wanted if name not in agent.environment or name in note["variables"]}
    return {name: value for name, value in wanted.items() if name in ours and agent.environment.get(name) != value}


def _require_free(host: AgentHost, agent: HostAgent, sleeper: HostAgent, manifest: Manifest) -> None:
    """Raises Conflict where the Tuner can't watch an agent; nothing has been changed then."""
    if any(sleeper.id not in group.agent_ids for group in host.groups(agent.id)):
        raise Conflict(f"agent {agent.name} already has a sleeptime agent", fix="attach without the Tuner")
    for label in manifest.blocks:
        theirs, tuners = agent.block_ids.get(label), sleeper.block_ids.get(label)
        if theirs is not None and tuners is not None and theirs != tuners:
            raise Conflict(
                f"agent {agent.name} has a block {label!r} of its own, and the Tuner works on another",
                fix="attach without the Tuner, or give both the same block",
            )


def _block_for(host: AgentHost, manifest: Manifest, label: str) -> str:
    block = find_block(host, label)
    if block is None:
        data = manifest.blocks[label]
        block = host.create_block(label, data.first_text, data.description, data.limit, [TAG])
    return block.id


def _wake(
    host: AgentHost, agent: HostAgent, sleeper: HostAgent, note: Mapping[str, Any], options: Options, frequency: int
) -> bool:
    data = SleeptimeData(of=agent.name, frequency=frequency)
    made = sleeptime.connect(host, agent.id, sleeper.id, data, options.reset_counter)
    if made is not None:
        _save(host, host.agent(agent.id), {**note, "group": made.id, "sleeptime": agent.sleeptime}, None)
    return made is not None


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

"""Brings an agent host to what the deployment folders say: idempotent, by name, label and function name.

What does not carry the tag ``dqa`` is never changed; what a block holds is never overwritten; an agent keeps the
further tools and blocks that somebody gave it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dqa.agenthost import sleeptime
from dqa.agenthost.manifest import DEFAULT_MODEL, AgentData, BlockData, Manifest, ToolData
from dqa.agenthost.port import TAG, AgentHost, AgentSpec, HostAgent, HostBlock, HostTool
from dqa.errors import Conflict

Action = Literal["create", "update", "same", "theirs", "conflict"]


@dataclass(frozen=True)
class Options:
    """What the folders leave open.

    Args:
        model: handle of the language model for agents that say ``default``.
        embedding: handle of the embedding model, likewise.
        environment: values for the variables that agents name; a variable without a value is left out.
        reset_counter: sets a new group's turn counter to 0, where we own the host's database; see
            :mod:`dqa.agenthost.sleeptime`.
    """

    model: str
    embedding: str
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    reset_counter: Callable[[str], None] | None = None


@dataclass(frozen=True)
class Difference:
    """One field that is not as the folders say. Secrets are named, never shown."""

    field: str
    before: str
    after: str


@dataclass(frozen=True)
class Change:
    """What has to be done about one thing. ``theirs`` is somebody's block of that label, used as it is."""

    kind: Literal["tool", "block", "agent", "group"]
    name: str
    action: Action
    differences: tuple[Difference, ...] = ()
    id: str | None = None

    @property
    def needed(self) -> bool:
        return self.action in ("create", "update", "conflict")


@dataclass(frozen=True)
class Report:
    """Every tool, block, agent and group of the deployment, with what was or is to be done."""

    changes: tuple[Change, ...]

    @property
    def in_sync(self) -> bool:
        return not any(change.needed for change in self.changes)

    def agents(self) -> dict[str, dict[str, Any]]:
        """Name -> ``{"id", "in_sync"}``; an agent is in sync if all that it is made of is, too."""
        shared = all(not c.needed for c in self.changes if c.kind in ("tool", "block"))
        groups = {c.name: c.needed for c in self.changes if c.kind == "group"}
        return {
            c.name: {"id": c.id, "in_sync": shared and not c.needed and not groups.get(c.name, False)}
            for c in self.changes
            if c.kind == "agent"
        }


def plan(host: AgentHost, manifest: Manifest, options: Options) -> Report:
    """What :func:`deploy` would do. Changes nothing."""
    return Report(tuple(_changes(host, manifest, options)))


def deploy(host: AgentHost, manifest: Manifest, options: Options) -> Report:
    """Does what :func:`plan` says, and returns it with the ids.

    Raises:
        Conflict: something of the same name exists without our tag; nothing was changed.
        HostError: the host refused something; a second run goes on from there.
    """
    report = plan(host, manifest, options)
    blocked = [f"{c.kind} {c.name} ({c.differences[0].after})" for c in report.changes if c.action == "conflict"]
    if blocked:
        raise Conflict(f"not ours to change: {'; '.join(blocked)}", fix=f"rename it, or tag it {TAG!r} to hand it over")
    for change in report.changes:
        if change.kind == "tool" and change.needed:
            host.put_tool(manifest.tools[change.name].source, [TAG])
        elif change.kind == "block" and change.needed:
            _put_block(host, manifest.blocks[change.name], change)
    ids = {
        change.name: _put_agent(host, manifest, options, change) for change in report.changes if change.kind == "agent"
    }
    for agent in manifest.agents.values():
        if agent.sleeptime is not None:
            sleeptime.connect(host, ids[agent.sleeptime.of], ids[agent.name], agent.sleeptime, options.reset_counter)
    return Report(tuple(_with_id(change, ids) for change in report.changes))


def _with_id(change: Change, ids: Mapping[str, str]) -> Change:
    if change.kind != "agent":
        return change
    return Change(change.kind, change.name, change.action, change.differences, ids[change.name])


def _changes(host: AgentHost, manifest: Manifest, options: Options) -> Iterator[Change]:
    tools = {tool.name: tool for tool in host.tools(list(manifest.tools))}
    for tool in manifest.tools.values():
        yield _tool_change(tool, tools.get(tool.name))
    for block in manifest.blocks.values():
        yield _block_change(block, find_block(host, block.label))
    found: dict[str, HostAgent | None] = {}
    for agent in manifest.agents.values():
        candidates = host.agents(agent.name)
        found[agent.name] = next((a for a in candidates if TAG in a.tags), None)
        yield _agent_change(agent, candidates, found[agent.name], manifest, options)
    for agent in manifest.agents.values():
        if agent.sleeptime is not None:
            yield _group_change(host, agent, found)


def _tool_change(tool: ToolData, there: HostTool | None) -> Change:
    if there is None:
        return Change("tool", tool.name, "create")
    if TAG not in there.tags:
        return _conflict("tool", tool.name)
    if there.source.strip() == tool.source.strip():
        return Change("tool", tool.name, "same", id=there.id)
    return Change("tool", tool.name, "update", (Difference("source", there.source, tool.source),), there.id)


def find_block(host: AgentHost, label: str) -> HostBlock | None:
    """The block of a label: ours if there is one, else the only one, which is somebody's and stays as it is.

    Raises:
        Conflict: there are several, and none is ours.
    """
    found = host.blocks(label)
    ours = [block for block in found if TAG in block.tags]
    if not ours and len(found) > 1:
        raise Conflict(
            f"there are {len(found)} blocks {label!r}, and none is tagged {TAG!r}",
            fix=f"tag the one that DQA shall use with {TAG!r}",
        )
    return (ours or found or [None])[0]


def _block_change(block: BlockData, there: HostBlock | None) -> Change:
    if there is None:
        return Change("block", block.label, "create")
    if TAG not in there.tags:
        return Change("block", block.label, "theirs", id=there.id)
    differences = tuple(
        Difference(name, str(before), str(after))
        for name, before, after in (
            ("description", there.description, block.description),
            ("limit", there.limit, block.limit),
        )
        if before != after
    )
    return Change("block", block.label, "update" if differences else "same", differences, there.id)


def _put_block(host: AgentHost, block: BlockData, change: Change) -> None:
    if change.id is None:
        host.create_block(block.label, block.first_text, block.description, block.limit, [TAG])
    else:
        host.describe_block(change.id, block.description, block.limit)


def _agent_change(
    agent: AgentData, candidates: list[HostAgent], there: HostAgent | None, manifest: Manifest, options: Options
) -> Change:
    if there is None:
        return _conflict("agent", agent.name) if candidates else Change("agent", agent.name, "create")
    if there.kind != agent.type:
        why = Difference("type", there.kind, f"is a {there.kind}, which can't become a {agent.type}: delete it first")
        return Change("agent", agent.name, "conflict", (why,), there.id)
    differences = tuple(_differences(there, spec_of(agent, options), manifest))
    return Change("agent", agent.name, "update" if differences else "same", differences, there.id)


def spec_of(agent: AgentData, options: Options) -> AgentSpec:
    """What the host is to make of an agent's data."""
    return AgentSpec(
        name=agent.name,
        kind=agent.type,
        description=agent.description,
        system=agent.system,
        model=options.model if agent.model == DEFAULT_MODEL else agent.model,
        embedding=options.embedding if agent.embedding == DEFAULT_MODEL else agent.embedding,
        tools=agent.tools,
        blocks=agent.blocks,
        rules=tuple(rule.to_host() for rule in agent.rules),
        autoclear=agent.message_buffer_autoclear,
        environment={name: options.environment[name] for name in agent.environment if options.environment.get(name)},
    )


def _differences(there: HostAgent, spec: AgentSpec, manifest: Manifest) -> Iterator[Difference]:
    for name, before, after in (
        ("system", there.system, spec.system),
        ("description", there.description, spec.description),
        ("model", there.model, spec.model),
        ("embedding", there.embedding, spec.embedding),
        ("message_buffer_autoclear", there.autoclear, spec.autoclear),
        ("tool_rules", _canonical(there.rules), _canonical(spec.rules)),
    ):
        if before != after:
            yield Difference(name, str(before), str(after))
    ours = [name for name in there.tool_names if name in manifest.tools]
    if set(ours) != set(spec.tools):
        yield Difference("tools", ", ".join(sorted(ours)), ", ".join(sorted(spec.tools)))
    if missing := [label for label in spec.blocks if label not in there.block_ids]:
        yield Difference("blocks", ", ".join(there.block_ids), f"and {', '.join(missing)}")
    stale = [name for name, value in spec.environment.items() if there.environment.get(name) != value]
    if stale:
        yield Difference("environment", "", f"new values for {', '.join(sorted(stale))}")


def _canonical(rules: tuple[Mapping[str, Any], ...]) -> str:
    return "\n".join(sorted(json.dumps(rule, sort_keys=True) for rule in rules))


def _put_agent(host: AgentHost, manifest: Manifest, options: Options, change: Change) -> str:
    """Makes or mends an agent; its tools and blocks exist by now."""
    spec = spec_of(manifest.agents[change.name], options)
    if change.id is not None and not change.needed:
        return change.id
    tools = {tool.name: tool.id for tool in host.tools(list(spec.tools))}
    blocks = {label: block.id for label in spec.blocks if (block := find_block(host, label)) is not None}
    if change.id is None:
        metadata = {"dqa": {"deployed": True}}
        ids = [tools[name] for name in spec.tools]
        return host.create_agent(spec, tool_ids=ids, block_ids=list(blocks.values()), tags=[TAG], metadata=metadata).id
    _mend(host, host.agent(change.id), spec, tools, blocks, manifest)
    return change.id


def _mend(
    host: AgentHost,
    there: HostAgent,
    spec: AgentSpec,
    tools: Mapping[str, str],
    blocks: Mapping[str, str],
    manifest: Manifest,
) -> None:
    for name, tool_id in tools.items():
        if name not in there.tool_names:
            host.attach_tool(there.id, tool_id)
    for name, tool_id in there.tool_names.items():
        if name in manifest.tools and name not in spec.tools:
            host.detach_tool(there.id, tool_id)
    for label, block_id in blocks.items():
        if label not in there.block_ids:
            host.attach_block(there.id, block_id)
    host.update_agent(
        there.id,
        system=spec.system,
        description=spec.description,
        model=spec.model,
        embedding=spec.embedding,
        tool_rules=[dict(rule) for rule in spec.rules],
        message_buffer_autoclear=spec.autoclear,
        secrets={**there.environment, **spec.environment},
    )


def _group_change(host: AgentHost, agent: AgentData, found: Mapping[str, HostAgent | None]) -> Change:
    assert agent.sleeptime is not None  # noqa: S101 - the caller asked
    manager, sleeper = found.get(agent.sleeptime.of), found.get(agent.name)
    if manager is None or sleeper is None:
        return Change("group", agent.name, "create")
    group = sleeptime.group_of(host, manager.id, sleeper.id)
    if group is None:
        return Change("group", agent.name, "create")
    if group.frequency != agent.sleeptime.frequency or not manager.sleeptime:
        after = str(agent.sleeptime.frequency)
        return Change("group", agent.name, "update", (Difference("frequency", str(group.frequency), after),), group.id)
    return Change("group", agent.name, "same", id=group.id)


def _conflict(kind: Literal["tool", "agent"], name: str) -> Change:
    return Change(kind, name, "conflict", (Difference("tags", "", f"exists without the tag {TAG!r}"),))

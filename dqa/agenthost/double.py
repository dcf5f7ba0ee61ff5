"""An agent host in memory, for tests: ours, and those of whoever builds on the port.

It keeps Letta's habits that matter: names and labels are not unique, a tool is one per function name, deleting a
manager deletes its sleeptime agents, the turn counter starts at -1.
"""

from __future__ import annotations

import ast
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dqa.agenthost.port import AgentSpec, HostAgent, HostBlock, HostError, HostGroup, HostTool, Turn


def _silence(agent_id: str, text: str) -> Turn:
    del agent_id, text
    return Turn(())


class ScriptedHost:
    """Answers messages with ``script`` and records every change in ``changes``.

    Args:
        script: called with (agent id, text); default says nothing.
    """

    url = "http://scripted.invalid"

    def __init__(self, script: Callable[[str, str], Turn] | None = None) -> None:
        self.script = script or _silence
        self.changes: list[str] = []
        self.sent: list[tuple[str, str]] = []
        self.all_tools: dict[str, HostTool] = {}
        self.all_blocks: dict[str, HostBlock] = {}
        self.all_agents: dict[str, HostAgent] = {}
        self.all_groups: dict[str, HostGroup] = {}
        self._numbers = itertools.count(1)

    def check(self) -> None:
        """Always well."""

    def tools(self, names: Sequence[str]) -> list[HostTool]:
        return [tool for tool in self.all_tools.values() if tool.name in names]

    def put_tool(self, source: str, tags: Sequence[str]) -> HostTool:
        name = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)][-1]
        known = self.tools([name])
        tool = HostTool(known[0].id if known else self._id("tool"), name, source, tuple(tags))
        self.all_tools[tool.id] = tool
        self.changes.append(f"tool {name}")
        return tool

    def blocks(self, label: str) -> list[HostBlock]:
        return [block for block in self.all_blocks.values() if block.label == label]

    def create_block(self, label: str, value: str, description: str, limit: int, tags: Sequence[str]) -> HostBlock:
        block = HostBlock(self._id("block"), label, value, description, limit, tuple(tags))
        self.all_blocks[block.id] = block
        self.changes.append(f"block {label}")
        return block

    def describe_block(self, block_id: str, description: str, limit: int) -> None:
        self.all_blocks[block_id] = replace(self.all_blocks[block_id], description=description, limit=limit)
        self.changes.append(f"describe {self.all_blocks[block_id].label}")

    def write_block(self, block_id: str, value: str) -> None:
        self.all_blocks[block_id] = replace(self.all_blocks[block_id], value=value)
        self.changes.append(f"write {self.all_blocks[block_id].label}")

    def agents(self, name: str) -> list[HostAgent]:
        return [agent for agent in self.all_agents.values() if agent.name == name]

    def agent(self, agent_id: str) -> HostAgent:
        if agent_id not in self.all_agents:
            raise HostError(f"there is no agent {agent_id}", fix="use the id of one that exists")
        return self.all_agents[agent_id]

    def create_agent(
        self,
        spec: AgentSpec,
        *,
        tool_ids: Sequence[str],
        block_ids: Sequence[str],
        tags: Sequence[str],
        metadata: Mapping[str, Any],
    ) -> HostAgent:
        agent = HostAgent(
            id=self._id("agent"),
            name=spec.name,
            kind=spec.kind,
            description=spec.description,
            system=spec.system,
            model=spec.model,
            embedding=spec.embedding,
            tool_names={self.all_tools[i].name: i for i in tool_ids},
            block_ids={self.all_blocks[i].label: i for i in block_ids},
            rules=spec.rules,
            autoclear=spec.autoclear,
            tags=tuple(tags),
            metadata=dict(metadata),
            environment=dict(spec.environment),
        )
        self.all_agents[agent.id] = agent
        self.changes.append(f"agent {spec.name}")
        return agent

    def update_agent(self, agent_id: str, **changes: Any) -> None:
        names = {
            "tool_rules": "rules",
            "message_buffer_autoclear": "autoclear",
            "secrets": "environment",
            "enable_sleeptime": "sleeptime",
        }
        fields = {names.get(key, key): tuple(v) if isinstance(v, list) else v for key, v in changes.items()}
        self.all_agents[agent_id] = replace(self.agent(agent_id), **fields)
        self.changes.append(f"update {self.agent(agent_id).name}: {', '.join(sorted(changes))}")

    def attach_tool(self, agent_id: str, tool_id: str) -> None:
        agent = self.agent(agent_id)
        names = {**agent.tool_names, self.all_tools[tool_id].name: tool_id}
        self.all_agents[agent_id] = replace(agent, tool_names=names)
        self.changes.append(f"attach {self.all_tools[tool_id].name} to {agent.name}")

    def detach_tool(self, agent_id: str, tool_id: str) -> None:
        agent = self.agent(agent_id)
        names = {name: i for name, i in agent.tool_names.items() if i != tool_id}
        self.all_agents[agent_id] = replace(agent, tool_names=names)
        self.changes.append(f"detach {self.all_tools[tool_id].name} from {agent.name}")

    def attach_block(self, agent_id: str, block_id: str) -> None:
        agent = self.agent(agent_id)
        ids = {**agent.block_ids, self.all_blocks[block_id].label: block_id}
        self.all_agents[agent_id] = replace(agent, block_ids=ids)
        self.changes.append(f"attach block {self.all_blocks[block_id].label} to {agent.name}")

    def detach_block(self, agent_id: str, block_id: str) -> None:
        agent = self.agent(agent_id)
        ids = {label: i for label, i in agent.block_ids.items() if i != block_id}
        self.all_agents[agent_id] = replace(agent, block_ids=ids)
        self.changes.append(f"detach block {self.all_blocks[block_id].label} from {agent.name}")

    def delete_agent(self, agent_id: str) -> None:
        name = self.agent(agent_id).name
        for group in self.groups(agent_id):
            for member in group.agent_ids:
                self.all_agents.pop(member, None)
            del self.all_groups[group.id]
        self.all_agents.pop(agent_id, None)
        self.changes.append(f"delete {name}")

    def groups(self, manager_id: str) -> list[HostGroup]:
        return [group for group in self.all_groups.values() if group.manager_id == manager_id]

    def create_group(self, manager_id: str, agent_id: str, frequency: int) -> HostGroup:
        group = HostGroup(self._id("group"), manager_id, (agent_id,), frequency, -1)
        self.all_groups[group.id] = group
        self.changes.append("group")
        return group

    def set_frequency(self, group: HostGroup, frequency: int) -> None:
        self.all_groups[group.id] = replace(group, frequency=frequency)
        self.changes.append("frequency")

    def delete_group(self, group_id: str) -> None:
        del self.all_groups[group_id]
        self.changes.append("delete group")

    def send(self, agent_id: str, text: str, timeout_s: float) -> Turn:
        del timeout_s
        self.sent.append((agent_id, text))
        return self.script(agent_id, text)

    def export(self, agent_id: str) -> str:
        agent = self.agent(agent_id)
        return json.dumps({"agents": [{"name": agent.name, "system": agent.system}]})

    def _id(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers):08d}"

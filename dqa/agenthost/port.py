"""The port to an agent host: what DQA asks of the server that runs the agents.

Letta is one host (:mod:`dqa.agenthost.letta`); tests use :class:`dqa.agenthost.double.ScriptedHost`. Nothing that must
not be lost or doubled lives in the host: selections, steps and records are the worker's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from dqa.errors import UnavailableError

TAG = "dqa"
"""What carries this tag is ours to change; anything else is never touched."""

Rule = Mapping[str, Any]
"""A tool rule as the host takes it: ``{"type": ..., "tool_name": ..., ...}``."""


class HostError(UnavailableError):
    """The agent host does not answer, or refuses."""

    type = "agent-host"
    title = "The agent host does not answer"


@dataclass(frozen=True)
class HostTool:
    """A tool as the host has it. Function names are unique on a host."""

    id: str
    name: str
    source: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostBlock:
    """A memory block as the host has it. Labels are not unique on a host."""

    id: str
    label: str
    value: str
    description: str = ""
    limit: int = 0
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class AgentSpec:
    """What an agent should be: everything a deployment sets.

    Args:
        kind: the host's agent type, e.g. ``letta_v1_agent``.
        tools: function names, in order.
        blocks: labels, in order.
        environment: variables its tools see, the secrets among them.
        autoclear: whether each turn starts with an empty conversation.
    """

    name: str
    kind: str
    description: str
    system: str
    model: str
    embedding: str
    tools: tuple[str, ...]
    blocks: tuple[str, ...]
    rules: tuple[Rule, ...]
    autoclear: bool = False
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class HostAgent:
    """An agent as the host has it; ``tool_names`` and ``block_ids`` are what is attached."""

    id: str
    name: str
    kind: str
    description: str
    system: str
    model: str
    embedding: str
    tool_names: Mapping[str, str]
    block_ids: Mapping[str, str]
    rules: tuple[Rule, ...]
    autoclear: bool
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]
    environment: Mapping[str, str]
    sleeptime: bool = False


@dataclass(frozen=True)
class HostGroup:
    """A sleeptime group: who wakes whom, how often. ``turns`` is the host's counter, from -1."""

    id: str
    manager_id: str
    agent_ids: tuple[str, ...]
    frequency: int | None
    turns: int | None


@dataclass(frozen=True)
class Message:
    """One message of a turn. ``status`` is a tool return's, as the host saw it."""

    kind: Literal["assistant", "tool_call", "tool_return", "other"]
    text: str
    tool: str = ""
    status: Literal["success", "error", ""] = ""


@dataclass(frozen=True)
class Turn:
    """What one message to an agent brought about."""

    messages: tuple[Message, ...]
    stop_reason: str = ""
    run_ids: tuple[str, ...] = ()

    @property
    def reply(self) -> str:
        """What the agent said, in words."""
        return "\n".join(m.text for m in self.messages if m.kind == "assistant")

    def returns(self, tool: str) -> list[Message]:
        """The returns of one tool, in order."""
        return [m for m in self.messages if m.kind == "tool_return" and m.tool == tool]


class AgentHost(Protocol):
    """What an agent host must be able to do.

    Every method raises :class:`HostError` when the host does not answer or refuses. None retries: a message posted
    twice is a turn executed twice.
    """

    @property
    def url(self) -> str: ...

    def check(self) -> None: ...

    def tools(self, names: Sequence[str]) -> list[HostTool]: ...

    def put_tool(self, source: str, tags: Sequence[str]) -> HostTool: ...

    def blocks(self, label: str) -> list[HostBlock]: ...

    def create_block(self, label: str, value: str, description: str, limit: int, tags: Sequence[str]) -> HostBlock: ...

    def describe_block(self, block_id: str, description: str, limit: int) -> None: ...

    def write_block(self, block_id: str, value: str) -> None: ...

    def agents(self, name: str) -> list[HostAgent]: ...

    def agent(self, agent_id: str) -> HostAgent: ...

    def create_agent(
        self,
        spec: AgentSpec,
        *,
        tool_ids: Sequence[str],
        block_ids: Sequence[str],
        tags: Sequence[str],
        metadata: Mapping[str, Any],
    ) -> HostAgent: ...

    def update_agent(self, agent_id: str, **changes: Any) -> None: ...

    def attach_tool(self, agent_id: str, tool_id: str) -> None: ...

    def detach_tool(self, agent_id: str, tool_id: str) -> None: ...

    def attach_block(self, agent_id: str, block_id: str) -> None: ...

    def detach_block(self, agent_id: str, block_id: str) -> None: ...

    def delete_agent(self, agent_id: str) -> None: ...

    def groups(self, manager_id: str) -> list[HostGroup]: ...

    def create_group(self, manager_id: str, agent_id: str, frequency: int) -> HostGroup: ...

    def set_frequency(self, group: HostGroup, frequency: int) -> None: ...

    def delete_group(self, group_id: str) -> None: ...

    def send(self, agent_id: str, text: str, timeout_s: float) -> Turn: ...

    def export(self, agent_id: str) -> str: ...

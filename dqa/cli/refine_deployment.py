"""What ``dqa refine`` has of the local deployment, where one is up: standards, the Writer, the block ab_testing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue

from dqa.cli.output import say
from dqa.config import Settings
from dqa.errors import DQAError, UnavailableError

if TYPE_CHECKING:
    from dqa.agenthost.port import AgentHost, HostBlock
    from dqa.refine.rule import Standards

_DIRECTOR = "agent-dqa-director"


def agent_host(settings: Settings) -> AgentHost:
    """The deployment's Letta server.

    Raises:
        UnavailableError: none is up, or it does not answer.
    """
    from dqa.agenthost.letta import LettaHost
    from dqa.agenthost.runtime import connect

    link = connect(settings)
    host = LettaHost(link.letta_url, link.letta_key)
    host.check()
    return host


def standards_in_force(settings: Settings) -> Standards:
    """What the deployment's block quality_standards says; the shipped first values where none is up."""
    from dqa.refine.rule import Standards, read_standards

    shipped, _ = read_standards(_shipped(), Standards())
    text = _block_text(settings)
    if text is None:
        return shipped
    found, problems = read_standards(_values(text), shipped)
    for problem in problems:
        say(f"quality_standards: {problem}")
    return found


def announce_test(settings: Settings, test: Mapping[str, JsonValue]) -> None:
    """Writes keys of the block ab_testing, where a deployment is up; others stay. A block that fails is only named."""
    from dqa.agenthost import blocks

    try:
        host = agent_host(settings)
    except UnavailableError:
        return  # no agents are there to be told
    try:
        block = _director_block(host, "ab_testing")
        if block is not None:
            host.write_block(block.id, blocks.update(block.value, test))
    except DQAError as error:
        say(f"warning: the block ab_testing was not written: {error.sentence()}")


def _shipped() -> dict[str, JsonValue]:
    from dqa.agenthost.manifest import load_manifest

    return {key: data.first for key, data in load_manifest().blocks["quality_standards"].keys.items()}


def _block_text(settings: Settings) -> str | None:
    try:
        host = agent_host(settings)
    except UnavailableError:
        return None
    block = _director_block(host, "quality_standards")
    return None if block is None else block.value


def _values(text: str) -> dict[str, JsonValue]:
    from dqa.agenthost import blocks

    block = blocks.parse(text)
    return {key: blocks.value(block, key) for key in block.names()}


def _director_block(host: AgentHost, label: str) -> HostBlock | None:
    """The block that the Director has: labels are not unique on a host."""
    from dqa.agenthost.port import TAG

    ids = {agent.block_ids.get(label) for agent in host.agents(_DIRECTOR) if TAG in agent.tags}
    return next((block for block in host.blocks(label) if block.id in ids), None)

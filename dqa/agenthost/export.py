"""Writes agents as .af files, Letta's own exchange format."""

from __future__ import annotations

from pathlib import Path

from dqa.agenthost.manifest import Manifest
from dqa.agenthost.port import TAG, AgentHost
from dqa.errors import UsageError


def export(host: AgentHost, manifest: Manifest, folder: Path) -> list[Path]:
    """Writes ``<agent name>.af`` for each deployed agent, with its tools and blocks; the server blanks secrets.

    Raises:
        UsageError: none of the agents is deployed.
    """
    written: list[Path] = []
    for name in manifest.agents:
        for agent in host.agents(name):
            if TAG in agent.tags:
                folder.mkdir(parents=True, exist_ok=True)
                path = folder / f"{name}.af"
                path.write_text(host.export(agent.id), encoding="utf-8")
                written.append(path)
    if not written:
        raise UsageError("none of the agents is deployed", fix="run dqa agents deploy")
    return written

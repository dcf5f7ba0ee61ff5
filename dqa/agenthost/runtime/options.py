"""What ``dqa up`` is asked for, and what comes of it: options, connection, status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

Tell = Callable[[str], None]
"""Told, in one line, what is being done or was found."""

LETTA_PORT = 8283  # where Letta's Agent Development Environment looks for a local server
BRAIN_PORT = 8764


@dataclass(frozen=True)
class UpOptions:
    """What ``dqa up`` is asked for. None means "not asked": as it runs already, or the default.

    Args:
        letta_url: an existing Letta server to use; then no database, server or brain is started.
        letta_key: its password or API key.
        letta_port: port of our own Letta server (default 8283).
        brain_port: port of the rule brain (default 8764). Agents keep it in their model's address.
        brain_url: another OpenAI-compatible endpoint (ending in ``/v1``) in place of the rule brain.
        provider_variables: variables the Letta server gets for its model providers, e.g. ``ANTHROPIC_API_KEY``.
        environment: folder of the Python environments, if it is to be shared between state folders.
        patience_s: longest that each process may take until it is healthy.
    """

    letta_url: str | None = None
    letta_key: str | None = None
    letta_port: int | None = None
    brain_port: int | None = None
    brain_url: str | None = None
    provider_variables: Mapping[str, str] = field(default_factory=dict[str, str])
    environment: Path | None = None
    patience_s: float = 300.0


@dataclass(frozen=True)
class Connection:
    """How to reach a running deployment; the secrets are in here."""

    service_url: str
    service_token: str | None
    letta_url: str
    letta_key: str | None


class AgentStatus(TypedDict):
    """One deployed agent."""

    id: str | None
    in_sync: bool


AgentsProbe = Callable[[Connection], Mapping[str, AgentStatus]]
"""Asks the Letta server for our agents, by name."""


@dataclass(frozen=True)
class ProcessStatus:
    """One process of the deployment, for the eye."""

    name: str
    phase: str
    detail: str
    pid: int | None
    restarts: int


@dataclass(frozen=True)
class Status:
    """What ``dqa status`` says. ``supervised``: something starts the processes again if they end."""

    service_url: str
    service_healthy: bool
    letta_url: str | None
    letta_healthy: bool
    letta_password_file: str | None
    agents: Mapping[str, AgentStatus] = field(default_factory=dict[str, AgentStatus])
    processes: tuple[ProcessStatus, ...] = ()
    supervised: bool = False

    def to_json(self) -> dict[str, Any]:
        """The form of ``dqa status --json``."""
        return {
            "service": {"url": self.service_url, "healthy": self.service_healthy},
            "letta": {
                "url": self.letta_url,
                "healthy": self.letta_healthy,
                "password_file": self.letta_password_file,
            },
            "agents": dict(self.agents),
        }

"""The agents on the deployment that ``dqa up`` runs: which models they use, what their tools are told."""

from __future__ import annotations

from collections.abc import Mapping

from dqa.agenthost.deploy import Options, Report, deploy, plan
from dqa.agenthost.letta import LettaHost
from dqa.agenthost.manifest import load_manifest
from dqa.agenthost.runtime import AgentsProbe, AgentStatus, Connection, turn_counter_reset
from dqa.brain import MODEL
from dqa.config import Settings
from dqa.errors import ConfigError, DQAError

# The names that Letta 0.16.8 gives to what an OpenAI-compatible endpoint serves.
RULE_BRAIN = f"openai-proxy/{MODEL}"
RULE_BRAIN_EMBEDDING = "openai/text-embedding-3-small"


def require_model(settings: Settings, *, rule_brain: bool) -> None:
    """Checks that it is known which model the agents use.

    Raises:
        ConfigError: the rule brain does not run, and no other model is named.
    """
    if not rule_brain and settings.agent_model is None:
        raise ConfigError(
            "it is not said which model the agents use",
            fix="set DQA_AGENT_MODEL to a handle of that server, e.g. openai/gpt-4o-mini, and DQA_AGENT_EMBEDDING",
        )


def deploy_options(settings: Settings, link: Connection) -> Options:
    """What the deployment folders leave open, for the server behind ``link``."""
    variables = {
        "DQA_URL": link.service_url,
        "DQA_TOKEN": link.service_token or "",
        "DQA_USER": settings.user,
        "DQA_LETTA_URL": link.letta_url,
        "DQA_LETTA_KEY": link.letta_key or "",
        "DQA_CLIPS": str(settings.clips.expanduser().absolute()) if settings.clips else "",
    }
    return Options(
        model=settings.agent_model or RULE_BRAIN,
        embedding=settings.agent_embedding or RULE_BRAIN_EMBEDDING,
        environment=variables,
        reset_counter=turn_counter_reset(settings),
    )


def deploy_agents(settings: Settings, link: Connection) -> Report:
    """Brings the server's agents to what the folders say.

    Raises:
        Conflict: something of the same name is not ours.
        HostError: the server refused something.
    """
    return deploy(LettaHost(link.letta_url, link.letta_key), load_manifest(), deploy_options(settings, link))


def compare(settings: Settings, link: Connection) -> Report:
    """What :func:`deploy_agents` would change; changes nothing.

    Raises:
        HostError: the server refused something, or does not answer.
    """
    return plan(LettaHost(link.letta_url, link.letta_key), load_manifest(), deploy_options(settings, link))


def agents_probe(settings: Settings) -> AgentsProbe:
    """Asks the server which of our agents it has, and whether they are as the folders say; empty without an answer."""

    def ask(link: Connection) -> Mapping[str, AgentStatus]:
        try:
            found = compare(settings, link).agents()
        except DQAError:
            return {}
        return {name: AgentStatus(id=entry["id"], in_sync=entry["in_sync"]) for name, entry in found.items()}

    return ask

"""``dqa up``: the whole local deployment, in the background."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home, ProfileName, Quiet
from dqa.cli.output import emit, emit_json, say
from dqa.cli.status import show
from dqa.errors import UsageError


def command(  # noqa: PLR0913, PLR0917 - a parameter an option
    letta_url: Annotated[
        str | None,
        typer.Option("--letta-url", metavar="URL", help="Use this Letta server; start none.", show_default=False),
    ] = None,
    letta_key: Annotated[
        str | None,
        typer.Option(
            "--letta-key",
            metavar="KEY",
            envvar="LETTA_API_KEY",
            help="Its password or API key; better given as LETTA_API_KEY.",
            show_default=False,
        ),
    ] = None,
    letta_port: Annotated[
        int | None, typer.Option("--letta-port", help="Port of our Letta server. [8283]", show_default=False)
    ] = None,
    brain_port: Annotated[
        int | None, typer.Option("--brain-port", help="Port of the rule brain. [8764]", show_default=False)
    ] = None,
    brain_url: Annotated[
        str | None,
        typer.Option(
            "--brain-url",
            metavar="URL",
            help="An OpenAI-compatible endpoint (ending in /v1) in place of the rule brain.",
            show_default=False,
        ),
    ] = None,
    pass_env: Annotated[
        list[str] | None,
        typer.Option(
            "--pass-env",
            metavar="NAME",
            help="A variable of yours that the Letta server gets, e.g. ANTHROPIC_API_KEY; repeatable.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Port of the worker service. [DQA_PORT; 8765]", show_default=False)
    ] = None,
    environment: Annotated[
        Path | None,
        typer.Option(
            "--environments",
            metavar="DIR",
            help="Folder of Letta's environments, if several state folders share it.",
            show_default=False,
        ),
    ] = None,
    agents: Annotated[bool, typer.Option("--agents/--no-agents", help="Deploy our agents, too.")] = True,
    profile: ProfileName = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Start the worker service, PostgreSQL, Letta's server, a brain and the agents; they go on in the background.

    The first time, Letta's environments are made (about 1 GB, a few minutes). Everything listens on this machine only.
    What runs already is left as it is. Stop it all with dqa down.
    """
    from dqa.agenthost import local
    from dqa.agenthost import runtime as deployment

    settings = runtime.settings_from(home=home, port=port, profile=profile)
    options = deployment.UpOptions(
        letta_url=letta_url,
        letta_key=letta_key,
        letta_port=letta_port,
        brain_port=brain_port,
        brain_url=brain_url,
        provider_variables=_variables(pass_env or []),
        environment=environment.absolute() if environment else None,
    )
    if agents:
        local.require_model(settings, rule_brain=letta_url is None and brain_url is None)
    tell = _nothing if quiet else say
    status = deployment.up(settings, options, tell, None if agents else local.agents_probe(settings))
    if agents:
        tell("deploying the agents")
        local.deploy_agents(settings, deployment.connect(settings))
        status = deployment.status(settings, local.agents_probe(settings))
    if as_json:
        emit_json(status.to_json())
    else:
        show(status)
        if status.letta_password_file:
            emit(f"\nTalk to the agents at {status.letta_url} (password: {status.letta_password_file}).")
    return 0


def _nothing(text: str) -> None:
    del text


def _variables(names: list[str]) -> dict[str, str]:
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise UsageError(f"{missing[0]} is not set", fix="set it, or leave out its --pass-env")
    return {name: os.environ[name] for name in names}

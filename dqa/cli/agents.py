"""``dqa agents``: the agents on the Letta server, as the folders agents/, tools/ and memory_blocks/ say."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dqa.cli import runtime
from dqa.cli.letta_options import LettaKey, LettaUrl, connection
from dqa.cli.options import AsJson, Home
from dqa.cli.output import emit, emit_json, one_line, say

if TYPE_CHECKING:
    from dqa.agenthost.attach import Attached
    from dqa.agenthost.deploy import Change, Options, Report
    from dqa.agenthost.manifest import Manifest
    from dqa.agenthost.port import AgentHost

app = typer.Typer(
    help="The agents on the Letta server: deploy, compare, export, attach to yours.", rich_markup_mode=None
)

Agent = Annotated[str, typer.Option("--agent", metavar="NAME_OR_ID", help="Your agent.")]


@app.command("deploy")
def deploy(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    letta_url: LettaUrl = None,
    letta_key: LettaKey = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Bring the server to what the folders say. What is not tagged dqa is never changed, nor what blocks hold."""
    from dqa.agenthost import deploy as deployment

    host, manifest, options = _parts(letta_url, letta_key, home)
    act = deployment.plan if dry_run else deployment.deploy
    report = act(host, manifest, options)
    _show(report, as_json, differences=dry_run)
    if not as_json:
        say("nothing was changed (--dry-run)" if dry_run else "the agents are as agents/ says")
    return 0


@app.command("status")
def status(letta_url: LettaUrl = None, letta_key: LettaKey = None, home: Home = None, as_json: AsJson = False) -> int:
    """Compare the server with the folders, and show what drifted. Exit code 0 either way: look at "in_sync"."""
    from dqa.agenthost.deploy import plan

    report = plan(*_parts(letta_url, letta_key, home))
    _show(report, as_json, differences=True)
    return 0


@app.command("export")
def export(
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="Where the .af files go.")] = Path(
        "agents-af"
    ),
    letta_url: LettaUrl = None,
    letta_key: LettaKey = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Write each agent with its tools and blocks as an .af file, without secrets."""
    from dqa.agenthost.export import export as write

    host, manifest, _ = _parts(letta_url, letta_key, home)
    paths = [str(path) for path in write(host, manifest, output)]
    if as_json:
        emit_json(paths)
    else:
        emit("\n".join(paths))
    return 0


@app.command("attach")
def attach(
    agent: Agent,
    tuner: Annotated[bool, typer.Option("--tuner", help="Have its turns wake the Tuner, too.")] = False,
    letta_url: LettaUrl = None,
    letta_key: LettaKey = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Give an agent of yours the tool verify_video and the shared blocks; its own blocks are used as they are."""
    from dqa.agenthost.attach import attach as give
    from dqa.agenthost.attach import find_agent

    host, manifest, options = _parts(letta_url, letta_key, home)
    given = give(host, find_agent(host, agent), manifest, options, tuner=tuner)
    _show_attached(given, "given", as_json)
    return 0


@app.command("detach")
def detach(
    agent: Agent, letta_url: LettaUrl = None, letta_key: LettaKey = None, home: Home = None, as_json: AsJson = False
) -> int:
    """Take back from an agent exactly what attach gave it."""
    from dqa.agenthost.attach import detach as take
    from dqa.agenthost.attach import find_agent

    host, _, _ = _parts(letta_url, letta_key, home)
    _show_attached(take(host, find_agent(host, agent)), "taken back", as_json)
    return 0


def _parts(letta_url: str | None, letta_key: str | None, home: Path | None) -> tuple[AgentHost, Manifest, Options]:
    """The server, the folders, and what they leave open.

    Raises:
        UnavailableError: no server is named, and dqa up runs none; or it does not answer.
    """
    from dqa.agenthost import local
    from dqa.agenthost.letta import LettaHost
    from dqa.agenthost.manifest import load_manifest

    settings = runtime.settings_from(home=home)
    if letta_url is not None:
        local.require_model(settings, rule_brain=False)
    link = connection(settings, letta_url, letta_key)
    host = LettaHost(link.letta_url, link.letta_key)
    host.check()
    return host, load_manifest(), local.deploy_options(settings, link)


def _show(report: Report, as_json: bool, *, differences: bool) -> None:
    if as_json:
        emit_json(
            {"in_sync": report.in_sync, "agents": report.agents(), "changes": [_as_dict(c) for c in report.changes]}
        )
        return
    for change in report.changes:
        emit(f"{change.action:8}  {change.kind:5}  {one_line(change.name)}")
        for difference in change.differences if differences else ():
            emit(_diff(difference.field, difference.before, difference.after))


def _as_dict(change: Change) -> dict[str, Any]:
    differences = {d.field: {"before": d.before, "after": d.after} for d in change.differences}
    return {
        "kind": change.kind,
        "name": change.name,
        "action": change.action,
        "id": change.id,
        "differences": differences,
    }


def _diff(field: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "server", "folder", lineterm="", n=1)
    return "\n".join([f"    {field}", *(f"    {line}" for line in lines)])


def _show_attached(attached: Attached, word: str, as_json: bool) -> None:
    things = {
        "tools": attached.tools,
        "blocks": attached.blocks,
        "variables": attached.variables,
        "tuner": attached.tuner,
    }
    if as_json:
        emit_json({"agent": attached.agent_id, **things})
        return
    emit(f"agent {attached.agent_id}")
    for name, values in things.items():
        if values:
            emit(f"{word}: {name}{'' if values is True else ' ' + ', '.join(values)}")  # type: ignore[arg-type]
    if not any(things.values()):
        emit(f"nothing had to be {word}")

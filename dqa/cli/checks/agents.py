"""The agents' side of the deployment: Letta's server, the agents, their memory blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dqa.cli.checks.finding import Finding
from dqa.config import Settings
from dqa.errors import DQAError

if TYPE_CHECKING:
    from dqa.agenthost.deploy import Change, Report
    from dqa.agenthost.runtime import Status

_START = "start it with dqa up, if you want the agents"
_DEPLOY = "run dqa agents deploy"


def agents_side(settings: Settings) -> Iterator[Finding]:
    """Letta, the agents and the memory blocks: running, as the folders say, filled."""
    from dqa.agenthost import local
    from dqa.agenthost import runtime as deployment

    status = deployment.status(settings)
    yield _letta(status)
    if not status.letta_healthy:
        yield Finding("agents", "warn", "can't be asked for: Letta does not run", _START)
        yield Finding("memory blocks", "warn", "can't be read: Letta does not run", _START)
        return
    try:
        report = local.compare(settings, deployment.connect(settings))
    except DQAError as error:
        yield Finding("agents", "fail", error.what, error.fix)
        return
    yield _agents(report)
    yield _blocks(report)


def _letta(status: Status) -> Finding:
    if status.letta_url is None:
        return Finding("letta", "warn", "not running", _START)
    if not status.letta_healthy:
        return Finding("letta", "fail", f"does not answer at {status.letta_url}", "see dqa status and the logs")
    if not status.supervised:
        return Finding("letta", "warn", "runs, but nothing would start it again", "run dqa up")
    again = [f"{p.name} {p.restarts} times" for p in status.processes if p.restarts]
    restarted = f"; started again: {', '.join(again)}" if again else ""
    return Finding("letta", "ok", f"answers at {status.letta_url}{restarted}")


def _agents(report: Report) -> Finding:
    agents = report.agents()
    missing = sorted(name for name, agent in agents.items() if agent["id"] is None)
    differing = sorted(name for name, agent in agents.items() if agent["id"] and not agent["in_sync"])
    if missing:
        return Finding("agents", "warn", f"not deployed: {', '.join(missing)}", _DEPLOY)
    if differing:
        return Finding("agents", "warn", f"not as agents/ says: {', '.join(differing)}", f"{_DEPLOY}, or see --dry-run")
    return Finding("agents", "ok", f"all {len(agents)} as agents/ says")


def _blocks(report: Report) -> Finding:
    blocks = [change for change in report.changes if change.kind == "block"]
    missing = sorted(change.name for change in blocks if _is_missing(change))
    if missing:
        return Finding("memory blocks", "warn", f"missing: {', '.join(missing)}", _DEPLOY)
    return Finding("memory blocks", "ok", f"all {len(blocks)} are there")


def _is_missing(change: Change) -> bool:
    return change.action == "create"

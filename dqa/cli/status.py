"""``dqa status``: are the service, Letta and the agents up?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home
from dqa.cli.output import emit, emit_json, one_line
from dqa.config import Settings

if TYPE_CHECKING:
    from dqa.agenthost.runtime import Status


def command(home: Home = None, as_json: AsJson = False) -> int:
    """Show whether the service, Letta and the agents are well. Exit code 0 either way: look at "healthy"."""
    from dqa.agenthost import local
    from dqa.agenthost import runtime as deployment

    settings = runtime.settings_from(home=home)
    status = deployment.status(settings, local.agents_probe(settings))
    if as_json:
        emit_json(status.to_json())
    else:
        show(status)
    return 0


def is_healthy(settings: Settings) -> bool:
    """Whether the service at the settings' URL says that it is well, within a few seconds."""
    from dqa.agenthost.runtime import answers

    return answers(f"{settings.service_url}/healthz")


def show(status: Status) -> None:
    """Prints how everything is, for the eye."""
    start = "dqa serve, or all with dqa up"
    emit(f"service  {one_line(status.service_url)}  {_health(status.service_healthy, start)}")
    if status.letta_url is None:
        emit("letta    not running (start it with dqa up)")
        return
    emit(f"letta    {one_line(status.letta_url)}  {_health(status.letta_healthy, 'dqa up')}")
    for process in status.processes:
        pid = f"pid {process.pid}" if process.pid else "no process"
        again = f", restarted {process.restarts} times" if process.restarts else ""
        detail = f" ({one_line(process.detail)})" if process.detail else ""
        emit(f"process  {process.name:8}  {process.phase}, {pid}{again}{detail}")
    if not status.supervised:
        emit("process  nothing watches them: the supervisor is gone (run dqa up)")
    for name, agent in status.agents.items():
        there = "not deployed" if agent["id"] is None else one_line(agent["id"])
        emit(f"agent    {one_line(name)}  {there}, {'in sync' if agent['in_sync'] else 'differs from agents/'}")


def _health(healthy: bool, start: str) -> str:
    return "healthy" if healthy else f"not running (start it with {start})"

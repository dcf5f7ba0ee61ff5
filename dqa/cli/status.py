"""``dqa status``: is the service up?"""

from __future__ import annotations

from typing import Any

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home
from dqa.cli.output import emit, emit_json, one_line
from dqa.config import Settings

_PATIENCE_S = 5.0


def command(home: Home = None, as_json: AsJson = False) -> int:
    """Show whether the service answers. Exit code 0 either way: look at "healthy"."""
    settings = runtime.settings_from(home=home)
    state = {
        "service": {"url": settings.service_url, "healthy": is_healthy(settings)},
        # Agents are no part of this version; the keys are there, so that what reads them need not change.
        "letta": {"url": None, "healthy": False, "password_file": None},
        "agents": {},
    }
    if as_json:
        emit_json(state)
    else:
        _show(state)
    return 0


def is_healthy(settings: Settings) -> bool:
    """Whether the service at the settings' URL says that it is well, within a few seconds."""
    import httpx

    try:
        # A proxy set for the outside world has no business between us and our own service.
        with httpx.Client(timeout=_PATIENCE_S, trust_env=False) as client:
            return client.get(f"{settings.service_url}/healthz").is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def _show(state: dict[str, Any]) -> None:
    service = state["service"]
    url = one_line(service["url"])
    emit(f"service  {url}  {'healthy' if service['healthy'] else 'not running (start it with dqa serve)'}")
    emit("letta    not part of this version")
    emit("agents   not part of this version")

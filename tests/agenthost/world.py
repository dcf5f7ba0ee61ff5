"""A worker and a Letta server in memory, for the tools: they are loaded from their files and call ``httpx.request``."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

TOOLS = Path(__file__).parents[2] / "tools"
WORKER, LETTA = "http://worker.test", "http://letta.test"
AGENT, RUN = "agent-1", "run-1"
ARCHIVE = f"/v1/agents/{AGENT}/archival-memory"

RECORD: dict[str, Any] = {
    "id": "ev_1",
    "created": "2026-01-01T00:00:00Z",
    "prompt": "a wolf",
    "channels": {
        "semantic": {
            "status": "ok",
            "score": 0.8,
            "confidence": 0.5,
            "reason": "a wolf",
            "evidence": [{"text": "fur"}],
        },
        "spatial": {"status": "abstained", "score": None, "confidence": None, "reason": "no places", "evidence": []},
        "benchmark": {"status": "ok", "score": 0.9, "dimensions": {"motion_smoothness": {"score": 0.7}}, "reason": "x"},
        "preference": {"status": "unavailable", "score": None, "reason": "none"},
    },
    "prompt_adherence": 0.85,
    "final": 0.84,
    "grade": "A-",
    "action": "accept",
    "reasoning": "Grade A-.",
    "advice": ["less motion"],
    "profile": "embedded",
    "reproduce": {"media": "w.mp4"},
}

Answer = Callable[[httpx.Request], httpx.Response]


class World:
    """Routes by method and path; a route may be a value, a response, an exception or a function of the request.

    ``requests`` are all that came; ``clock`` makes waiting free.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.routes: dict[tuple[str, str], Any] = {}
        self.requests: list[httpx.Request] = []
        self.slept = 0.0
        self.patch = monkeypatch
        for name, value in {
            "DQA_URL": WORKER,
            "DQA_TOKEN": "t0k",
            "DQA_LETTA_URL": LETTA,
            "DQA_LETTA_KEY": "k3y",
            "LETTA_AGENT_ID": AGENT,
        }.items():
            monkeypatch.setenv(name, value)
        for name in ("DQA_USER", "DQA_CLIPS", "DQA_PATIENCE_S"):
            monkeypatch.delenv(name, raising=False)
        client = httpx.Client(transport=httpx.MockTransport(self._answer))
        monkeypatch.setattr(httpx, "request", client.request)
        monkeypatch.setattr("time.sleep", self._sleep)
        self.route("GET", "/v1/runs/", [{"id": RUN}])

    def route(self, method: str, path: str, answer: Any) -> None:
        self.routes[method, path] = answer

    def call(self, tool: str, *arguments: Any) -> dict[str, Any]:
        """Runs a tool as a host does, and gives its answer, which must be a JSON object."""
        spec = importlib.util.spec_from_file_location(f"tool_{tool}", TOOLS / f"{tool}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        text = getattr(module, tool)(*arguments)
        assert isinstance(text, str)
        data = json.loads(text)
        assert isinstance(data, dict)
        return data

    def to(self, method: str, path: str) -> list[httpx.Request]:
        return [r for r in self.requests if r.method == method and r.url.path == path]

    def log(self, *returns: tuple[str, Mapping[str, Any]], run: str = RUN) -> None:
        """What the host says tools returned, oldest first."""
        messages = [
            {
                "message_type": "tool_return_message",
                "name": name,
                "tool_return": json.dumps(data),
                "run_id": run,
                "date": f"2026-01-01T00:00:{second:02}",
            }
            for second, (name, data) in enumerate(returns)
        ]
        self.route("GET", f"/v1/agents/{AGENT}/messages", messages)

    def _sleep(self, seconds: float) -> None:
        self.slept += seconds

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        secret = "t0k" if str(request.url).startswith(WORKER) else "k3y"
        assert request.headers["Authorization"] == f"Bearer {secret}"
        route = self.routes.get((request.method, request.url.path))
        if callable(route):
            route = route(request)
        if isinstance(route, Exception):
            raise route
        if isinstance(route, httpx.Response):
            return route
        if route is None:
            return httpx.Response(404, json={"detail": "there is nothing at this address; see /docs."})
        return httpx.Response(200, json=route)


def agent_says(*turns: list[dict[str, Any]]) -> Any:
    waiting = [{"messages": turn} for turn in turns]
    return lambda _: waiting.pop(0)


def tool_said(tool: str, data: Any, status: str = "success") -> dict[str, Any]:
    return {"message_type": "tool_return_message", "name": tool, "tool_return": json.dumps(data), "status": status}

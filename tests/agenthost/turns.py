"""The Calibrator's turns on a host in memory: the rule brain, the tool from its file, and the host's forced call."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from typing import Any

from dqa.agenthost.calibrator import CALIBRATOR
from dqa.agenthost.double import ScriptedHost
from dqa.agenthost.port import AgentSpec, Message, Turn
from dqa.brain.answer import complete
from tests.agenthost.world import TOOLS
from tests.brain.tools import schemas

TOOL = "propose_edit"


def calibrator_host(script: Callable[[str, str], Turn] | None = None, tags: tuple[str, ...] = ("dqa",)) -> ScriptedHost:
    """A host with the Calibrator on it; default the rule brain answers."""
    host = ScriptedHost(script or by_rules)
    spec = AgentSpec(CALIBRATOR, "letta_v1_agent", "", "", "p/model", "", (), (), ())
    host.create_agent(spec, tool_ids=[], block_ids=[], tags=list(tags), metadata={})
    return host


def by_rules(agent_id: str, text: str) -> Turn:
    """One turn as the rules of agent.toml force it: the one tool, then the end."""
    request = {
        "model": "m",
        "messages": [{"role": "user", "content": text}],
        "tools": schemas([TOOL]),
        "tool_choice": {"type": "function", "function": {"name": TOOL}},
    }
    (call,) = complete(request)["choices"][0]["message"]["tool_calls"]
    return returned(**json.loads(call["function"]["arguments"]))


def returned(**arguments: Any) -> Turn:
    """A turn in which the tool was called with these arguments; a call that does not fit it fails, as on the host."""
    try:
        text, status = _tool()(**arguments), "success"
    except TypeError as error:
        text, status = f"Error executing function {TOOL}: TypeError: {error}", "error"
    return Turn((Message("tool_return", text, TOOL, status),))  # type: ignore[arg-type]


def _tool() -> Callable[..., str]:
    spec = importlib.util.spec_from_file_location(TOOL, TOOLS / f"{TOOL}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, TOOL)

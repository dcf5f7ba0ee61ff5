"""The local deployment: PostgreSQL, the brain, the worker and Letta's server under one supervisor.

:func:`up` starts it or finds it running, :func:`down` stops it, :func:`status` asks each part how it is, and
:func:`connect` tells how to reach it. :func:`turn_counter_reset` reaches what Letta has no route for.
"""

from __future__ import annotations

from dqa.agenthost.runtime.health import answers
from dqa.agenthost.runtime.lifecycle import connect, down, status, up
from dqa.agenthost.runtime.options import AgentsProbe, AgentStatus, Connection, ProcessStatus, Status, Tell, UpOptions
from dqa.agenthost.runtime.turns import turn_counter_reset

__all__ = [
    "AgentStatus",
    "AgentsProbe",
    "Connection",
    "ProcessStatus",
    "Status",
    "Tell",
    "UpOptions",
    "answers",
    "connect",
    "down",
    "status",
    "turn_counter_reset",
    "up",
]

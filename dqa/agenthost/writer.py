"""The agent ``agent-dqa-writer`` as writer of a refinement.

A turn a prompt. What counts is what the tool ``submit_prompt`` returned in it, checked here; what the agent says in
words never counts. A turn without a usable prompt is repeated once.
"""

from __future__ import annotations

import json

from dqa.agenthost.port import TAG, AgentHost
from dqa.agenthost.turn import returned_in
from dqa.errors import InvalidPrompt, UnavailableError
from dqa.refine.llm import usable
from dqa.refine.ports import WriteRequest

WRITER = "agent-dqa-writer"
_TOOL = "submit_prompt"
_TURNS = 2


class AgentWriter:
    """Asks the Writer as the Director does (``tools/ask_writer.py``); its blocks tell it the standards.

    Args:
        host: the server.
        timeout_s: longest that a turn may take.
    """

    name = f"agent:{WRITER}"

    def __init__(self, host: AgentHost, timeout_s: float = 300.0) -> None:
        self._host = host
        self._timeout_s = timeout_s

    def write(self, request: WriteRequest) -> str:
        """See :class:`~dqa.refine.ports.Writer`."""
        agent = next((agent for agent in self._host.agents(WRITER) if TAG in agent.tags), None)
        if agent is None:
            raise UnavailableError(f"there is no agent {WRITER} at {self._host.url}", fix="run dqa agents deploy")
        why = ""
        for _ in range(_TURNS):
            found = returned_in(self._host.send(agent.id, request_text(request), self._timeout_s), _TOOL)
            if isinstance(found, str):
                why = found
                continue
            try:
                return usable(found.get("prompt"))
            except InvalidPrompt as error:
                why = error.what
        raise UnavailableError(
            f"the Writer gave no prompt, asked twice ({why})", fix="give the agent another model, or use --writer rules"
        )


def request_text(request: WriteRequest) -> str:
    """The message that asks for a prompt; values are JSON, so that nothing in them reads as another line."""
    advice = "; ".join(request.advice)
    return f"Write the prompt for this brief.\nbrief: {json.dumps(request.brief)}\nadvice: {json.dumps(advice)}"

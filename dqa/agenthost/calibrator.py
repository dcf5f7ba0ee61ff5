"""The agent ``agent-dqa-calibrator`` as editor of the prompt calibrator.

A turn a question. What counts is what the tool ``propose_edit`` returned in it, checked here; what the agent says in
words never counts. A turn without a usable proposal is repeated once, with what was wrong; then the axis is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dqa.agenthost.port import TAG, AgentHost, HostAgent
from dqa.agenthost.turn import returned_in
from dqa.calibrate.editor import Edit, EditRequest, Gains
from dqa.calibrate.proposal import edit_of
from dqa.calibrate.task import TOOL, axis_of, task_text
from dqa.errors import InvalidPrompt, UnavailableError

CALIBRATOR = "agent-dqa-calibrator"

_TURNS = 2


def find_calibrator(host: AgentHost) -> HostAgent:
    """The deployed agent.

    Raises:
        UnavailableError: there is none on this host.
        HostError: the host does not answer.
    """
    found = next((agent for agent in host.agents(CALIBRATOR) if TAG in agent.tags), None)
    if found is None:
        raise UnavailableError(f"there is no agent {CALIBRATOR} at {host.url}", fix="run dqa agents deploy")
    return found


class AgentEditor:
    """Asks the agent for one edit a turn.

    Args:
        host: the server.
        agent: who is asked, of :func:`find_calibrator`.
        gains: what wordings brought in earlier runs; told with every task, so that the host need remember nothing.
        tell: shows a line: why an axis was left.
        timeout_s: longest that a turn may take.
    """

    def __init__(
        self, host: AgentHost, agent: HostAgent, gains: Gains, tell: Callable[[str], None], timeout_s: float = 600.0
    ) -> None:
        self._host = host
        self._agent = agent
        self._gains = gains
        self._tell = tell
        self._timeout_s = timeout_s

    @property
    def name(self) -> str:
        """The agent's model is named: the same model edits the same way."""
        return f"agent:{self._agent.model or CALIBRATOR}"

    def propose(self, request: EditRequest) -> Edit | None:
        """See :class:`~dqa.calibrate.editor.Editor`.

        Raises:
            HostError: the host does not answer, or its turn failed; a message is never posted again for want of an
                answer, since that would be a second turn beside the first.
        """
        problem, not_again = "", ()
        for _ in range(_TURNS):
            text = task_text(request, self._gains, problem, not_again)
            found = returned_in(self._host.send(self._agent.id, text, self._timeout_s), TOOL)
            try:
                return self._edit(found, request)
            except InvalidPrompt as error:
                problem, not_again = error.what, _tried(found, request)
        self._tell(f"{axis_of(request)}: left, since {CALIBRATOR} made no usable proposal in {_TURNS} turns: {problem}")
        return None

    def _edit(self, found: Mapping[str, Any] | str, request: EditRequest) -> Edit | None:
        if isinstance(found, str):
            raise InvalidPrompt(found)
        axis, wanted = found.get("axis"), axis_of(request)
        if not isinstance(axis, str) or _names(axis) != _names(wanted):
            raise InvalidPrompt(f"it is about the axis {str(axis)[:80]!r}, and not {wanted!r}")
        if found.get("leave") is True:
            self._tell(f"{wanted}: left by {CALIBRATOR}")
            return None
        return edit_of(found.get("prompt"), found.get("wording"), request)


def _tried(found: Mapping[str, Any] | str, request: EditRequest) -> tuple[str, ...]:
    """The proposed prompt where it was generated before: told, so that it is not proposed a second time."""
    prompt = "" if isinstance(found, str) else str(found.get("prompt")).strip()
    return (prompt,) if prompt in request.seen else ()


def _names(axis: str) -> list[str]:
    return sorted(part.strip() for part in axis.split("+"))

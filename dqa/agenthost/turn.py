"""Asks an agent, and tells a verdict from what only looks like one.

A verdict counts if the tool ``final_verdict`` returned it in that turn, successfully, with the id of a record that the
worker has for this very clip and prompt. Text that an agent writes never counts. A turn without a verdict is repeated
once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from dqa.agenthost.port import AgentHost, Turn
from dqa.errors import UnavailableError, UsageError

VERIFIER = "agent-dqa-verifier"
_TOOL = "final_verdict"

Lookup = Callable[[str], Mapping[str, Any]]
"""From the id of an evaluation to the worker's record; raises a DQAError where there is none."""


class NoVerdict(UnavailableError):
    """The Verifier's turn ended without a verdict, twice."""

    type = "no-verdict"
    title = "There is no verdict"


@dataclass(frozen=True)
class Verdict:
    """The worker's own record, and in which attempt the Verifier came to it."""

    record: Mapping[str, Any]
    attempts: int


def request_text(media: str, prompt: str) -> str:
    """The message that asks for a verdict; values are JSON, so that nothing in them reads as another line."""
    return f"Evaluate this clip and give the final verdict.\nmedia: {json.dumps(media)}\nprompt: {json.dumps(prompt)}"


def ask_verifier(
    host: AgentHost, media: str, prompt: str, lookup: Lookup, *, name: str = VERIFIER, timeout_s: float = 900.0
) -> Verdict:
    """Has the Verifier grade a clip.

    Args:
        media: media id or path, as the worker takes it.
        prompt: what the clip was made from.
        lookup: reads the worker's record; what the agent claims is not believed.

    Raises:
        NoVerdict: two turns ended without one; the message says how.
        UsageError: there is no such agent.
    """
    agents = host.agents(name)
    if not agents:
        raise UsageError(f"there is no agent {name}", fix="run dqa agents deploy")
    why = ""
    for attempt in (1, 2):
        turn = host.send(agents[0].id, request_text(media, prompt), timeout_s)
        found = verdict_in(turn)
        if isinstance(found, str):
            why = found
            continue
        record = lookup(found["id"])
        why = _mismatch(record, media, prompt)
        if not why:
            return Verdict(record, attempt)
    raise NoVerdict(f"the Verifier gave no verdict ({why})", fix="see that the worker runs, then ask again")


def verdict_in(turn: Turn) -> dict[str, Any] | str:
    """What ``final_verdict`` returned in a turn; where there is no verdict, why, in words."""
    found = returned_in(turn, _TOOL)
    if isinstance(found, str) or isinstance(found.get("id"), str):
        return found
    return f"{_TOOL} returned no record id"


def returned_in(turn: Turn, tool: str) -> dict[str, Any] | str:
    """What a tool returned last in a turn, as a JSON object; where it did not, or failed, why, in words."""
    returns = turn.returns(tool)
    if not returns:
        said = f"; it said: {turn.reply[:200]}" if turn.reply else ""
        return f"its turn ended without {tool}{said}"
    last = returns[-1]
    try:
        data = json.loads(last.text)
    except (ValueError, RecursionError):
        return f"{tool} failed: {last.text[:200]}"
    if last.status != "success" or not isinstance(data, dict):
        return f"{tool} failed: {last.text[:200]}"
    found = cast(dict[str, Any], data)
    if found.get("error"):
        return f"{tool} failed: {found['error']}; {found.get('fix', '')}".rstrip("; ")
    return found


def _mismatch(record: Mapping[str, Any], media: str, prompt: str) -> str:
    """Why a record is not about what was asked; empty if it is. Turns that overlap could mix clips up."""
    if not _same_text(record.get("prompt"), prompt):
        return "the verdict belongs to another prompt"
    named = cast(dict[str, Any], record.get("reproduce") or {}).get("media")
    return "" if named in (None, media.strip()) else "the verdict belongs to another clip"


def _same_text(one: object, other: str) -> bool:
    return isinstance(one, str) and one.split() == other.split()

"""Which of the offered tools to call, if any."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dqa.brain.conversation import Conversation
from dqa.brain.fill import fill

_IDLE = frozenset(
    re.findall(
        r"[a-z]+",
        "the a an of to or and in is it its for by with this that one no not what as be at on which from then",
    )
)


def choose(
    conversation: Conversation, tools: Sequence[Mapping[str, Any]], tool_choice: Any
) -> tuple[str, dict[str, Any]] | None:
    """The tool to call with its arguments; None to answer in words.

    A forced tool is called. Where a tool must be called, the best match is. Otherwise a tool is called once a turn, if
    what the user said matches it and holds its arguments: the host forces whatever must follow.
    """
    functions = [tool.get("function") or {} for tool in tools]
    if not functions or tool_choice == "none":
        return None
    forced = _forced(tool_choice)
    if forced is not None:
        functions = [function for function in functions if function.get("name") == forced]
    elif tool_choice != "required" and conversation.turn:
        return None
    must = forced is not None or tool_choice == "required"
    words = [_words(function) for function in functions]
    scores = [_match(function, own, words, conversation, must) for function, own in zip(functions, words, strict=True)]
    if not scores or (not must and max(scores) <= 0):
        return None
    best = functions[scores.index(max(scores))]
    arguments, _ = fill(best.get("parameters") or {}, conversation)
    return str(best["name"]), arguments


def _forced(tool_choice: Any) -> str | None:
    return str(tool_choice["function"]["name"]) if isinstance(tool_choice, dict) and "function" in tool_choice else None


def _words(function: Mapping[str, Any]) -> dict[str, float]:
    """What a tool is called and what its first sentence says, as stems with their weights."""
    named = _stems(str(function.get("name", "")).replace("_", " "))
    described = _stems(str(function.get("description", "")).split(".")[0])
    return {**dict.fromkeys(described, 1.0), **dict.fromkeys(named, 2.0)}


def _match(
    function: Mapping[str, Any],
    own: Mapping[str, float],
    offered: Sequence[Mapping[str, float]],
    conversation: Conversation,
    must: bool,
) -> float:
    """How well what the user said matches a tool; 0 where it does not, or lacks an argument.

    A word that several of the offered tools share counts for less.
    """
    parameters = function.get("parameters") or {}
    arguments, missing = fill(parameters, conversation)
    said = _stems(conversation.user)
    score = sum(weight / sum(word in other for other in offered) for word, weight in own.items() if word in said)
    needed = [name for name in parameters.get("required") or [] if arguments.get(name) is not None]
    if not must and (missing or (not needed and score < 1.5)):
        return 0.0
    return score + (3.0 if score and "media" in needed else 0.0) + (1.0 if must and not missing else 0.0)


def _stems(text: str) -> set[str]:
    words = re.findall(r"[a-z]+", text.lower())
    return {re.sub(r"(?<=\w{3})(?:ations?|ing|ied|ies|ed|es|s|e|y)$", "", word) for word in words if word not in _IDLE}

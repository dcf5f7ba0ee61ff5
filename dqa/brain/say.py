"""Answers in words: facts that tools returned, stated as they are, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from dqa.brain import NAME
from dqa.brain.conversation import Conversation, Returned
from dqa.synthesis import final_text


def say(conversation: Conversation, tools: Sequence[Mapping[str, Any]]) -> str:
    """The answer to what was said, signed with what it is."""
    return f"{_facts(conversation, tools)} ({NAME})"


def _facts(conversation: Conversation, tools: Sequence[Mapping[str, Any]]) -> str:
    if conversation.turn:
        return _of(conversation.turn[-1])
    known = [returned for returned in conversation.before if _verdict(returned) is not None]
    if known:
        return f"What I know from this conversation: {_of(known[-1])}"
    return _help(tools)


def _of(returned: Returned) -> str:
    if returned.failed:
        return _failure(returned)
    data = returned.data
    if isinstance(data, dict) and data.get("evaluations") == []:
        return "Nothing has been evaluated yet."
    verdict = _verdict(returned)
    if verdict is not None:
        return _describe(verdict)
    if isinstance(data, dict) and data.get("choose"):
        return f"Two variations are made and verified. Choose between them: {data['choose']}"
    return f"{returned.tool} returned: {_short(data)}"


def _failure(returned: Returned) -> str:
    data = returned.data
    if isinstance(data, dict):
        found = cast(dict[str, Any], data)
        fix = f" To mend it: {found['fix']}" if found.get("fix") else ""
        return f"{returned.tool} failed: {found.get('error')}.{fix} There is no result."
    return f"{returned.tool} failed: {_short(data)}. There is no result."


def _verdict(returned: Returned) -> Mapping[str, Any] | None:
    """The newest thing with a grade that a tool returned."""
    data = returned.data
    if returned.failed or not isinstance(data, dict):
        return None
    found = cast(dict[str, Any], data)
    listed = found.get("evaluations")
    if isinstance(listed, list) and listed and isinstance(listed[0], dict):
        found = cast(dict[str, Any], listed[0])
    return found if "grade" in found and found.get("id") else None


def _describe(verdict: Mapping[str, Any]) -> str:
    final = verdict.get("final")
    number = f" ({final_text(float(final))})" if isinstance(final, int | float) and 0 <= final <= 1 else ""
    media = verdict.get("media") or verdict.get("video_id")
    parts = [
        f"{media}: " if media else "",
        f"grade {verdict.get('grade') or 'none'}{number}, {verdict.get('action')}.",
        f" {_unrepeated(str(verdict.get('reasoning') or ''))}",
    ]
    if verdict.get("attempts"):
        parts.append(f" Attempts: {verdict['attempts']}.")
    if verdict.get("note"):
        parts.append(f" Note: {verdict['note']}.")
    advice = [str(item) for item in cast(list[Any], verdict.get("advice") or [])]
    if advice:
        parts.append(f" What to change: {' '.join(advice[:3])}")
    parts.append(f" Evaluation {verdict['id']}.")
    return "".join(parts).replace("  ", " ")


def _unrepeated(reasoning: str) -> str:
    """The reasoning without its first sentence where that only states the grade again."""
    head, _, rest = reasoning.partition(": ")
    return rest.partition(". ")[2] or reasoning if head.startswith("Grade ") else reasoning


def _help(tools: Sequence[Mapping[str, Any]]) -> str:
    names = [str((tool.get("function") or {}).get("name")) for tool in tools]
    can = f" In this turn I can call: {', '.join(names)}." if names else ""
    return (
        "I complete this agent's workflow by rules and repeat facts that its tools returned. "
        'To grade a clip say: evaluate PATH, prompt: "TEXT". To have one made say: make a video of ...'
        f"{can} For free conversation give the agent a language model."
    )


def _short(data: Any) -> str:
    text = str(data)
    return text if len(text) <= 400 else f"{text[:400]}..."

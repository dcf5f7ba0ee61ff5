"""What a chat completion request says: the turn at hand, and what tools returned in it and before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

_NOT_THE_USER = {"heartbeat", "system_alert", "login"}


@dataclass(frozen=True)
class Returned:
    """What a tool returned: data where it is JSON, else text. ``failed``: the tool or the host said so."""

    tool: str
    data: Any
    failed: bool

    def find(self, key: str) -> Any:
        """The first value under ``key`` at any depth; None where there is none."""
        return next(_values(self.data, key), None)


@dataclass(frozen=True)
class Conversation:
    """One request. ``user`` is the last thing the user said; ``turn`` what tools returned since, in order."""

    user: str
    turn: tuple[Returned, ...]
    before: tuple[Returned, ...]

    @property
    def all_returned(self) -> tuple[Returned, ...]:
        """Everything that tools returned in the conversation, oldest first."""
        return (*self.before, *self.turn)


def read(messages: Sequence[Mapping[str, Any]]) -> Conversation:
    """Reads the messages of a request, in the forms that OpenAI clients and Letta give them.

    >>> read([{"role": "user", "content": "hi"}]).user
    'hi'
    """
    names: dict[str, str] = {}
    user = ""
    before: list[Returned] = []
    turn: list[Returned] = []
    for message in messages:
        role = message.get("role")
        for call in message.get("tool_calls") or []:
            names[str(call.get("id"))] = str((call.get("function") or {}).get("name"))
        if role == "user":
            said = _user_text(message.get("content"))
            if said is not None:
                user = said
                before.extend(turn)
                turn = []
        elif role == "tool":
            tool = names.get(str(message.get("tool_call_id")), str(message.get("name") or ""))
            turn.append(_returned(tool, text_of(message.get("content"))))
    return Conversation(user, tuple(turn), tuple(before))


def text_of(content: Any) -> str:
    """A message's text, whether it is one string or parts."""
    if isinstance(content, list):
        parts = cast(list[Any], content)
        return "\n".join(str(part.get("text") or "") if isinstance(part, dict) else str(part) for part in parts)
    return str(content or "")


def _user_text(content: Any) -> str | None:
    """What the user said; None for a host's own notes in the user's role."""
    text = text_of(content)
    data = as_json(text)
    if isinstance(data, dict) and "message" in data and "type" in data:
        return None if data["type"] in _NOT_THE_USER else str(data["message"])
    return text


def _returned(tool: str, text: str) -> Returned:
    data = as_json(text)
    failed = False
    if isinstance(data, dict) and "status" in data and "message" in data:  # the host's wrapping
        failed = data["status"] not in ("OK", "success")
        inner = data["message"]
        data = as_json(inner) if isinstance(inner, str) else inner
    return Returned(tool, data, failed or (isinstance(data, dict) and bool(data.get("error"))))


def as_json(text: str) -> Any:
    """``text`` as data if it is JSON, else as it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _values(data: Any, key: str) -> Iterator[Any]:
    if isinstance(data, dict):
        found = cast(dict[str, Any], data)
        if found.get(key) is not None:
            yield found[key]
        for value in found.values():
            yield from _values(value, key)
    elif isinstance(data, list):
        for value in cast(list[Any], data):
            yield from _values(value, key)

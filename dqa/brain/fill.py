"""Fills a tool's arguments from the conversation, by the tool's schema."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from dqa.brain.conversation import Conversation, as_json
from dqa.brain.correct import correction
from dqa.brain.wording import compose

_MEDIA_ID = re.compile(r"\bmd_[0-9a-hjkmnp-tv-z]{26}\b")
_ENDING = re.compile(r"\.(?:mp4|webm|mov|mkv|gif|webp|png|jpe?g)\b", re.IGNORECASE)
_QUOTES = "\"'“”"
_BEFORE_PATH = re.compile(r"[\s\"'“”<>]")
_QUOTED = re.compile(r"\"([^\"]{3,})\"|“([^”]{3,})”|'([^']{8,})'")
_COMMANDS = frozenset(
    re.findall(
        r"[a-z]+",
        "please can could you evaluate grade verify check judge rate score assess look at this the a an clip video "
        "file image it for against with from and give me final verdict prompt was made of is its my to how good what "
        "which why",
    )
)
_NEXT_LABEL = re.compile(r"(?<=\s)(?:media|prompt|brief|advice|attempt)\s*[:=]", re.IGNORECASE)
_WHOLE_TEXT = {"brief", "message", "text", "question", "request", "description", "query"}
_MEDIA_NAMES = {"media", "video", "clip", "path", "file", "image"}


def fill(parameters: Mapping[str, Any], conversation: Conversation) -> tuple[dict[str, Any], list[str]]:
    """The arguments, and the names of required ones that the conversation does not hold.

    A value comes from what a tool returned in this turn, then from the task where what was said is a calibrator's, then
    from ``name: value`` in what the user said, then from the shape of what was said: a path is media, quoted text a
    prompt.
    """
    arguments: dict[str, Any] = {}
    missing: list[str] = []
    required = set(cast(list[str], parameters.get("required") or []))
    for name, schema in cast(dict[str, dict[str, Any]], parameters.get("properties") or {}).items():
        value = _fitting(_value(name, conversation), schema)
        if value is None and "default" in schema:
            value = schema["default"]
        if value is not None:
            arguments[name] = value
        elif "null" in _types(schema):
            arguments[name] = None  # a strict schema requires what is optional, as null
        elif name in required:
            missing.append(name)
    return arguments, missing


def _value(name: str, conversation: Conversation) -> Any:
    for returned in reversed(conversation.turn):
        found = None if returned.failed else returned.find(name)
        if found is not None:
            return found
    worked_out = correction(conversation.user)
    if name in worked_out:
        return worked_out[name]
    return labelled(name, conversation.user) or _BY_SHAPE.get(name, _none)(conversation.user)


def labelled(name: str, text: str) -> Any:
    """The value of ``name`` where the text says ``name: value`` or is JSON with that key; None elsewhere.

    >>> labelled("prompt", 'media: x.mp4\\nprompt: "a wolf"')
    'a wolf'
    >>> labelled("prompt", "prompt: 2 guys talking")
    '2 guys talking'
    """
    data = as_json(text)
    if isinstance(data, dict) and name in data:
        return cast(dict[str, Any], data)[name]
    found = re.search(rf"(?:^|[\n;,.]|\s){name}\s*[:=]\s*(?P<value>[^\n]+)", text, re.IGNORECASE)
    if found is None:
        return None
    value = found["value"].strip()
    try:
        decoded, end = json.JSONDecoder().raw_decode(value)
    except (ValueError, RecursionError):
        decoded, end = None, 0
    # A number may only begin a sentence; quoted text, or a value with nothing behind it, is what was meant.
    if end and (isinstance(decoded, str) or not value[end:].strip(" ,;")):
        return decoded
    # One line may hold several: `media: a.mp4, prompt: a wolf`.
    following = _NEXT_LABEL.search(value)
    if following is None:
        return value
    own = value[: following.start()].rstrip()
    return (own[:-1] if own.endswith((",", ";")) else own).rstrip()


def media_in(text: str) -> str | None:
    """A media id or the path of a media file that the text names."""
    known = _MEDIA_ID.search(text)
    if known is not None:
        return known[0]
    ending = _ENDING.search(text)
    if ending is None:
        return None
    # Walked back from its ending: a pattern for the whole path would be slow on long words.
    before = text[: ending.start()]
    if text[ending.end() : ending.end() + 1] in tuple(_QUOTES):
        line = before[before.rfind("\n") + 1 :]
        opened = max(line.rfind(quote) for quote in _QUOTES)
        if opened >= 0:
            return line[opened + 1 :] + ending[0]
    name = _BEFORE_PATH.split(before)[-1]
    return name + ending[0] if name else None


def _prompt_in(text: str) -> str | None:
    brief = labelled("brief", text)
    if brief:
        return compose(str(brief), str(labelled("advice", text) or ""))
    path = media_in(text)
    quoted = [next(part for part in found if part) for found in _QUOTED.findall(text)]
    quoted = [part for part in quoted if part != path]
    if quoted:
        return max(quoted, key=len)
    rest = text.replace(path, " ") if path else text
    words = rest.split()
    article = ""
    while words and (word := words[0].strip(".,:;!?\"'").lower()) in _COMMANDS:
        dropped = words.pop(0)
        article = dropped if word in {"a", "an", "the"} else ""
    words = [article, *words] if article else words
    return " ".join(words).strip(" .:\"'") if len(words) >= 3 else None


def _based_on(text: str) -> str | None:
    if labelled("brief", text) is None:
        return None
    return "brief and advice" if labelled("advice", text) else "brief"


def _whole(text: str) -> str | None:
    return text.strip() or None


def _none(text: str) -> None:
    del text


_BY_SHAPE: dict[str, Callable[[str], str | None]] = {
    "prompt": _prompt_in,
    "based_on": _based_on,
    **dict.fromkeys(_MEDIA_NAMES, media_in),
    **dict.fromkeys(_WHOLE_TEXT, _whole),
}


def _types(schema: Mapping[str, Any]) -> set[str]:
    said = schema.get("type", "string")
    options = [cast(dict[str, Any], option).get("type") for option in schema.get("anyOf") or []]
    return set(cast(list[str], said)) if isinstance(said, list) else {str(o) for o in options if o} or {str(said)}


def _fitting(value: Any, schema: Mapping[str, Any]) -> Any:
    """``value`` in the type that the schema wants; None where it does not fit."""
    types = _types(schema)
    if value is None or (schema.get("enum") and value not in schema["enum"]):
        return None
    if types & {"integer", "number"}:
        return _number(value, "integer" in types)
    if "array" in types:
        return cast(list[Any], value) if isinstance(value, list) else [value]
    for kind, python in (("boolean", bool), ("object", dict)):
        if kind in types:
            return value if isinstance(value, python) else None
    if isinstance(value, list):
        return "; ".join(str(item) for item in cast(list[Any], value))
    return value if isinstance(value, str) else json.dumps(value)


def _number(value: Any, whole: bool) -> int | float | None:
    try:
        return int(float(value)) if whole else float(value)
    except (TypeError, ValueError, OverflowError):
        return None

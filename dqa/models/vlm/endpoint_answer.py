"""What an endpoint's answer says, read at the border: all that is not of the form it must have is refused here.

A server may send anything. Its body is read as strict JSON (no NaN, no infinities), every part that is used has its
type checked, and numbers are finite; whatever fails is one :class:`Misunderstood`, and nothing of the answer is quoted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from dqa.errors import UnavailableError

THOUGHT = 32
"""Tokens that are asked for where a model begins with a thinking block: room for an empty one and the answer."""

_THINKING = {"<think>": "</think>", "<thinking>": "</thinking>", "◁think▷": "◁/think▷"}
_HARDLY_EVER = -50.0
"""No log probability counts as lower: servers write -9999 for "hardly ever", which is a sign and no measurement."""

_ROUNDED = 1e-3
"""By how much a log probability may lie over 0, from rounding."""


class Misunderstood(UnavailableError):
    """The endpoint answered in a form that nobody understands."""


class Thinks(UnavailableError):
    """The endpoint's model thinks before it answers, and can't be kept from it."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token of an answer, and the likeliest ones in its place, with their log probabilities."""

    text: str
    likeliest: tuple[tuple[str, float], ...]


def decoded(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is.

    Raises:
        Misunderstood: it is none.
    """
    found = _json(body)
    if not isinstance(found, dict):
        raise _garbled("it is not JSON" if found is None else "it is no JSON object")
    return cast("dict[str, Any]", found)


def first_choice(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The first of a completion's choices.

    Raises:
        Misunderstood: there is none.
    """
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices:
        raise _garbled("choices")
    return _object(cast("list[object]", choices)[0], "choices")


def content(choice: Mapping[str, Any]) -> str | None:
    """The words of a choice, without a thinking block before them; None where it has none.

    Raises:
        Misunderstood: they are no text.
        Thinks: there is nothing but thoughts.
    """
    message = _object(choice.get("message"), "message")
    found = message.get("content")
    if found is not None and not isinstance(found, str):
        raise _garbled("message.content")
    if not found and _reasons(message):
        raise _thoughts()
    return None if found is None else _after_thinking(found)


def tokens(choice: Mapping[str, Any]) -> list[Token]:
    """The tokens of a choice with their probabilities; empty where the server tells none.

    Raises:
        Misunderstood: what it tells is of another form.
    """
    told = choice.get("logprobs")
    listed = None if told is None else _object(told, "logprobs").get("content")
    if listed is None:
        return []
    return [_token(_object(one, "logprobs.content")) for one in _list(listed, "logprobs.content")]


def begins_to_think(told: Sequence[Token]) -> bool:
    """Whether the first token opens a thinking block, or may be the first piece of what does."""
    begin = told[0].text.strip() if told else ""
    return bool(begin) and any(start.startswith(begin) or begin.startswith(start) for start in _THINKING)


def after_thinking(told: Sequence[Token]) -> Token:
    """The first token with a word in it after the thinking block; the first of all where there is no such block.

    Raises:
        Thinks: the block does not end, or nothing comes after it.
    """
    text = ""
    for place, token in enumerate(told):
        text += token.text
        end = _end(text)
        if end is None and not any(start.startswith(text.strip()) for start in _THINKING):
            return told[0]
        if end is not None and end in text:
            spoken = [one for one in told[place + 1 :] if one.text.strip()]
            if spoken:
                return spoken[0]
            break
    if _end(text) is None:
        return told[0]
    raise _thoughts()


def read_object(words: str) -> dict[str, Any] | None:
    """The one JSON object of an answer; a server that is held to no schema may put it between fences."""
    fenced = words.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
    found = _json(fenced)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _reasons(message: Mapping[str, Any]) -> bool:
    """Whether thoughts stand apart from the answer, as servers put them that tell the two from each other."""
    return any(bool(message.get(name)) for name in ("reasoning_content", "reasoning"))


def _after_thinking(words: str) -> str:
    end = _end(words)
    if end is None:
        return words
    _, closed, after = words.partition(end)
    if not closed:
        raise _thoughts()
    return after


def _end(text: str) -> str | None:
    """What ends the thinking block that a text begins with; None where it begins with none."""
    begun = text.lstrip()
    return next((end for start, end in _THINKING.items() if begun.startswith(start)), None)


def _token(told: Mapping[str, Any]) -> Token:
    tops = told.get("top_logprobs")
    listed = [] if tops is None else _list(tops, "top_logprobs")
    own = _likely(told)
    found = [_likely(_object(one, "top_logprobs")) for one in listed] or [own]
    return Token(own[0], tuple((text, value) for text, value in found if value is not None))


def _likely(told: Mapping[str, Any]) -> tuple[str, float | None]:
    """A token with its log probability; None where there is none, as some servers write a probability of 0."""
    text, value = told.get("token"), told.get("logprob")
    if not isinstance(text, str):
        raise _garbled("token")
    if value is None:
        return text, None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -math.inf < value <= _ROUNDED:
        raise _garbled("logprob")
    return text, float(min(max(value, _HARDLY_EVER), 0.0))


def _garbled(part: str) -> Misunderstood:
    return Misunderstood(
        f"the endpoint answered in a form that nobody understands ({part})",
        fix="check DQA_VLM_URL: it must name a server with OpenAI's chat interface, and end in /v1",
    )


def _thoughts() -> Thinks:
    return Thinks(
        "the endpoint's model begins with thoughts instead of an answer, although it was asked not to",
        fix="switch its thinking off at the server, or serve a model that answers at once",
    )


def _object(found: object, part: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise _garbled(part)
    return cast("dict[str, Any]", found)


def _list(found: object, part: str) -> list[object]:
    if not isinstance(found, list):
        raise _garbled(part)
    return cast("list[object]", found)


def _json(text: str | bytes) -> object:
    """None for what is no JSON, or nested deeper than anybody reads."""
    try:
        return json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None


def _refused(constant: str) -> None:
    """NaN and infinities, which Python reads and JSON does not know."""
    raise ValueError(constant)

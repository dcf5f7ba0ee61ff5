"""A chat completion, whole or as the chunks of a stream, in OpenAI's form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from dqa.brain import MODEL
from dqa.brain.choose import choose
from dqa.brain.conversation import read
from dqa.brain.say import say

_WORDS_A_CHUNK = 6


def complete(request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request; ids are hashes of it, so that the same request gets the same bytes."""
    message, reason = _message(request)
    return {
        "id": f"chatcmpl-{_digest(request)}",
        "object": "chat.completion",
        "created": 0,
        "model": str(request.get("model") or MODEL),
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": _usage(request, message),
    }


def stream(request: Mapping[str, Any]) -> Iterator[str]:
    """The same answer as server-sent events: text a few words at a time, a tool call in name and arguments."""
    whole = complete(request)
    message = whole["choices"][0]["message"]
    head = {"id": whole["id"], "object": "chat.completion.chunk", "created": 0, "model": whole["model"]}

    def chunk(delta: Mapping[str, Any], reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return _event({**head, "choices": [choice]})

    yield chunk({"role": "assistant", "content": None if message.get("tool_calls") else ""})
    for index, call in enumerate(message.get("tool_calls") or []):
        function = call["function"]
        opened = {**call, "index": index, "function": {"name": function["name"], "arguments": ""}}
        yield chunk({"tool_calls": [opened]})
        yield chunk({"tool_calls": [{"index": index, "function": {"arguments": function["arguments"]}}]})
    words = str(message.get("content") or "").split(" ")
    for at in range(0, len(words) if message.get("content") else 0, _WORDS_A_CHUNK):
        yield chunk({"content": (" " if at else "") + " ".join(words[at : at + _WORDS_A_CHUNK])})
    yield chunk({}, whole["choices"][0]["finish_reason"])
    if (request.get("stream_options") or {}).get("include_usage"):
        yield _event({**head, "choices": [], "usage": whole["usage"]})
    yield "data: [DONE]\n\n"


def _message(request: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    conversation = read(cast(list[dict[str, Any]], request.get("messages") or []))
    tools = cast(list[dict[str, Any]], request.get("tools") or [])
    chosen = choose(conversation, tools, request.get("tool_choice"))
    if chosen is None:
        return {"role": "assistant", "content": _sound(say(conversation, tools)), "refusal": None}, "stop"
    name, arguments = chosen
    call = {
        "id": f"call_{_digest(request)}",
        "type": "function",
        "function": {"name": name, "arguments": _sound(json.dumps(arguments, ensure_ascii=False))},
    }
    return {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None}, "tool_calls"


def _sound(text: str) -> str:
    """Without halves of surrogate pairs: JSON within a message may escape one, and no answer could be sent with it."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _usage(request: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, int]:
    """Four characters a token, the usual estimate: there is no tokenizer here."""
    prompt = len(json.dumps([request.get("messages"), request.get("tools")])) // 4
    completion = len(json.dumps(message)) // 4
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _digest(request: Mapping[str, Any]) -> str:
    said = json.dumps([request.get("messages"), request.get("tools")], sort_keys=True)
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _event(data: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"

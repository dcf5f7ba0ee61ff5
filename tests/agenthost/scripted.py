"""An OpenAI-compatible endpoint whose replies the test decides: chats (whole and streamed), models, embeddings."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

MODEL = "scripted"
HANDLE = f"openai-proxy/{MODEL}"
EMBEDDING = "openai/text-embedding-3-small"

Reply = Mapping[str, Any]
"""``{"text": ...}``, or ``{"tool": name, "arguments": {...}}``, or ``{"status": 500}`` for a failure."""
Answer = Callable[[Mapping[str, Any]], Reply]
"""From the body of the request to the reply."""


def first_tool_once(request: Mapping[str, Any]) -> Reply:
    """Calls the first tool on offer without arguments, once a turn, then says "done"."""
    tools: list[Any] = request.get("tools") or []
    since_user: list[str] = []
    for message in request["messages"]:
        since_user = [] if message["role"] == "user" else [*since_user, message["role"]]
    if tools and "tool" not in since_user:
        return {"tool": tools[0]["function"]["name"], "arguments": {}}
    return {"text": "done"}


def rule_brain(request: Mapping[str, Any]) -> Reply:
    """Answers as the packaged rule brain would."""
    from dqa.brain.answer import complete

    message = complete(request)["choices"][0]["message"]
    if not message.get("tool_calls"):
        return {"text": message["content"]}
    function = message["tool_calls"][0]["function"]
    return {"tool": function["name"], "arguments": json.loads(function["arguments"])}


class ScriptedBrain:
    """The endpoint, on a free port. ``answer`` may be replaced at any time; ``requests`` are the chats so far."""

    def __init__(self) -> None:
        self.answer: Answer = first_tool_once
        self.requests: list[Mapping[str, Any]] = []
        brain = self

        class Handler(_Handler):
            owner = brain

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def reset(self) -> None:
        self.answer = first_tool_once
        self.requests.clear()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: ScriptedBrain
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self._send(200, {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "tests"}]})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.endswith("/embeddings"):
            self._send(200, _embeddings(request))
            return
        self.owner.requests.append(request)
        reply = self.owner.answer(request)
        if "status" in reply:
            self._send(cast(int, reply["status"]), {"error": {"message": "scripted failure", "type": "server_error"}})
        elif request.get("stream"):
            self._stream(reply)
        else:
            finish, message = _message(reply)
            choice = {"index": 0, "message": message, "finish_reason": finish}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            self._send(200, {**_frame("chat.completion"), "choices": [choice], "usage": usage})

    def _stream(self, reply: Reply) -> None:
        finish, message = _message(reply)
        for index, call in enumerate(message.get("tool_calls") or []):
            call["index"] = index
        choices = [
            {"index": 0, "delta": message, "finish_reason": None},
            {"index": 0, "delta": {}, "finish_reason": finish},
        ]
        frames = [{**_frame("chat.completion.chunk"), "choices": [choice]} for choice in choices]
        lines = [f"data: {json.dumps(frame)}\n\n" for frame in frames]
        body = "".join([*lines, "data: [DONE]\n\n"]).encode()
        self._write(200, body, "text/event-stream")

    def _send(self, status: int, value: Any) -> None:
        self._write(status, json.dumps(value).encode(), "application/json")

    def _write(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _frame(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-test", "object": kind, "created": 1, "model": MODEL}


def _message(reply: Reply) -> tuple[str, dict[str, Any]]:
    if "tool" in reply:
        function = {"name": reply["tool"], "arguments": json.dumps(reply.get("arguments", {}))}
        # Each call has an id of its own: the server drops a return whose id it has seen in the conversation.
        call = {"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function}
        return "tool_calls", {"role": "assistant", "content": reply.get("text"), "tool_calls": [call]}
    return "stop", {"role": "assistant", "content": reply["text"]}


def _embeddings(request: Mapping[str, Any]) -> dict[str, Any]:
    texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
    size = int(request.get("dimensions") or 1536)
    data = [{"object": "embedding", "index": i, "embedding": [0.01] * size} for i in range(len(texts))]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return {"object": "list", "model": request["model"], "data": data, "usage": usage}

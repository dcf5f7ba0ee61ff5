"""A scripted OpenAI-compatible server: real HTTP, answers by rules on the question's words."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.local_server import local_server

P = Callable[[str], float]


@dataclass
class ScriptedVlm:
    """One server.

    Attributes:
        p_yes: question -> P(yes) that the token probabilities tell.
        logprobs: whether it tells token probabilities at all (Ollama once did not).
        content: what it says instead of the right thing, when asked for JSON.
        refused: what it answers 400 to: ``logprobs``, or a type of ``response_format``.
        statuses: answered first, one a request, before it behaves.
        key: the bearer token it wants.
        tokens: what it says for yes and for no.
        silent: questions with these words it answers with neither.
    """

    p_yes: P = lambda _question: 0.8
    logprobs: bool = True
    content: str | None = None
    refused: frozenset[str] = frozenset()
    statuses: list[int] = field(default_factory=list)
    key: str | None = None
    tokens: tuple[str, str] = ("Yes", "No")
    silent: str | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)

    async def chat(self, request: Request) -> Response:
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            return PlainTextResponse("who are you?", 401)
        body = await request.json()
        if self.statuses:
            return PlainTextResponse("busy", self.statuses.pop(0), headers={"Retry-After": "0"})
        self.requests.append(body)
        if {"logprobs" if body.get("logprobs") else "", body.get("response_format", {}).get("type")} & self.refused:
            return PlainTextResponse("unknown field", 400)
        question = body["messages"][-1]["content"][-1]["text"]
        p = self.p_yes(question)
        choice: dict[str, Any] = {"index": 0, "finish_reason": "length"}
        if "response_format" in body or "JSON object" in question:
            said = self.content if self.content is not None else json.dumps({"answer": "yes" if p > 0.5 else "no"})
            choice["message"] = {"role": "assistant", "content": said}
        else:
            choice["message"] = {"role": "assistant", "content": self.tokens[0] if p > 0.5 else self.tokens[1]}
            if self.logprobs and body.get("logprobs"):
                choice["logprobs"] = {
                    "content": [{"token": "x", "logprob": 0.0, "top_logprobs": self._tops(p, question)}]
                }
        return JSONResponse({"id": "1", "object": "chat.completion", "choices": [choice]})

    def _tops(self, p: float, question: str) -> list[dict[str, Any]]:
        yes, no = ("Well", "Hm") if self.silent is not None and self.silent in question else self.tokens
        rest = 0.01
        found = [(yes, p * (1 - rest)), (no, (1 - p) * (1 - rest)), ("The", rest)]
        return [{"token": token, "logprob": math.log(max(q, 1e-9))} for token, q in sorted(found, key=lambda f: -f[1])]

    async def models(self, request: Request) -> Response:
        del request
        return JSONResponse({"object": "list", "data": [{"id": "scripted"}]})

    def questions(self) -> list[str]:
        return [body["messages"][-1]["content"][-1]["text"] for body in self.requests]

    def app(self) -> Starlette:
        return Starlette(
            routes=[Route("/v1/chat/completions", self.chat, methods=["POST"]), Route("/v1/models", self.models)]
        )


@contextlib.contextmanager
def serving(vlm: ScriptedVlm) -> Iterator[str]:
    """Runs it; gives its base URL, up to /v1."""
    with local_server(vlm.app()) as url:
        yield f"{url}/v1"

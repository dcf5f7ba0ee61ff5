"""The HTTP side of the rule brain: models, chat completions (whole and streamed), embeddings."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from pydantic_core import from_json
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from dqa.brain import MODEL, NAME
from dqa.brain.answer import complete, stream
from dqa.brain.vectors import WIDTH, Embedder
from dqa.errors import ModelUnavailable

EMBEDDING_MODEL = "text-embedding-3-small"
"""The one name under which Letta asks an OpenAI-compatible address for embeddings. Here it is MiniLM, padded."""

_CONTEXT = 200_000
_MAX_BYTES = 32_000_000


class _Refused(Exception):
    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def create_app(embedder: Embedder, allowed_hosts: Sequence[str] = ()) -> Starlette:
    """The application.

    Args:
        embedder: gives the vectors.
        allowed_hosts: Host names it answers to besides loopback: a page in a browser must not reach it by rebinding.
    """
    hosts = ["127.0.0.1", "localhost", "[::1]", *allowed_hosts]
    app = Starlette(
        routes=[
            Route("/healthz", _health),
            Route("/v1/models", _models),
            Route("/v1/models/{name:path}", _model),
            Route("/v1/chat/completions", _chat, methods=["POST"]),
            Route("/v1/embeddings", _embeddings, methods=["POST"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
        exception_handlers={_Refused: _refused},
    )
    app.state.embedder = embedder
    return app


async def _health(request: Request) -> Response:
    del request
    return JSONResponse({"status": "ok", "what": NAME})


def _described(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": f"dqa ({NAME})", "context_length": _CONTEXT}


async def _models(request: Request) -> Response:
    del request
    return JSONResponse({"object": "list", "data": [_described(MODEL), _described(EMBEDDING_MODEL)]})


async def _model(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in (MODEL, EMBEDDING_MODEL):
        raise _Refused(f"there is no model {name!r}; use {MODEL}", 404)
    return JSONResponse(_described(name))


async def _chat(request: Request) -> Response:
    asked = await _body(request)
    if not isinstance(asked.get("messages"), list):
        raise _Refused("messages must be a list")
    try:
        if asked.get("stream"):
            # Made whole first: what a long conversation costs must not keep others, or /healthz, waiting.
            events = await run_in_threadpool(lambda: list(stream(asked)))
            return StreamingResponse(iter(events), media_type="text/event-stream")
        return JSONResponse(await run_in_threadpool(complete, asked))
    except (KeyError, TypeError, AttributeError) as error:
        raise _Refused(f"the request does not have the form of a chat completion ({error})") from None


async def _embeddings(request: Request) -> Response:
    asked = await _body(request)
    given = asked.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in cast(list[Any], texts)):
        raise _Refused("input must be a text or a list of texts")
    width = WIDTH if asked.get("dimensions") is None else asked["dimensions"]
    if not isinstance(width, int) or not 1 <= width <= 4096:
        raise _Refused("dimensions must be between 1 and 4096")
    embedder: Embedder = request.app.state.embedder
    try:
        rows = await run_in_threadpool(embedder.encode, cast(list[str], texts), width)
    except ModelUnavailable as error:
        raise _Refused(error.public(), 503) from None
    wanted = asked.get("encoding_format")
    data = [{"object": "embedding", "index": i, "embedding": _encoded(row, wanted)} for i, row in enumerate(rows)]
    tokens = sum(len(text) for text in cast(list[str], texts)) // 4
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return JSONResponse({"object": "list", "data": data, "model": asked.get("model"), "usage": usage})


def _encoded(row: Any, wanted: Any) -> list[float] | str:
    """As numbers, or as OpenAI's clients ask by default: base64 of little-endian float32."""
    if wanted == "base64":
        return base64.b64encode(np.asarray(row, dtype="<f4").tobytes()).decode("ascii")
    return [float(number) for number in row]


async def _body(request: Request) -> Mapping[str, Any]:
    received = bytearray()
    async for part in request.stream():
        received += part
        if len(received) > _MAX_BYTES:
            raise _Refused("the request is too large", 413)
    try:
        data = from_json(received, allow_inf_nan=False)
    except ValueError:
        raise _Refused("the body is not JSON") from None
    if not isinstance(data, dict):
        raise _Refused("the body is not a JSON object")
    return cast(dict[str, Any], data)


async def _refused(request: Request, error: Exception) -> Response:
    del request
    status = error.status if isinstance(error, _Refused) else 500
    return JSONResponse({"error": {"message": str(error), "type": "invalid_request_error", "code": None}}, status)

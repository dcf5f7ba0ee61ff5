"""Bodies before anyone parses them: bounded in size and time, and JSON checked for what it may hold (ASGI layers)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dqa.errors import DQAError
from dqa.jsonsafe import parse_json
from dqa.service.doors import LOGIN
from dqa.service.limits import HttpLimits
from dqa.service.problems import BodyTimeout, BodyTooLarge, WrongContentType, problem_of, respond

UPLOAD_PATH = "/v1/media"
_READ_BY_THEIR_ROUTES = frozenset({UPLOAD_PATH, LOGIN})
"""Bodies that are no JSON; their routes bound them."""
_LINGER_S = 2.0
_FEW_BYTES = 16_384
"""A body this small is parsed where it stands; a larger one in a thread, off the event loop."""


class JsonBodies:
    """Reads every body but the upload's and the login's, refuses what is no sound JSON, and hands the rest on."""

    def __init__(self, app: ASGIApp, limits: HttpLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _READ_BY_THEIR_ROUTES or not has_body(scope):
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read(Headers(scope=scope), receive)
        except DQAError as error:
            await respond(problem_of(error))(scope, receive, send)
            return
        await self._app(scope, _Replay(body, receive), send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes:
        limit = self._limits.json_bytes
        refuse_announced(headers, limit)
        try:
            async with asyncio.timeout(self._limits.json_s):
                body = await _collect(receive, limit)
        except TimeoutError:
            raise BodyTimeout("the body came too slowly", fix="send it in one go") from None
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise WrongContentType("the body is not application/json", fix="send JSON, with that Content-Type")
        await (run_in_threadpool(parse_json, body) if len(body) > _FEW_BYTES else _parse(body))
        return body


async def _parse(body: bytes) -> None:
    parse_json(body)


async def _collect(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise too_large(limit)
        if not message.get("more_body", False):
            return b"".join(chunks)


class _Replay:
    """Gives a body that was read already to whoever asks next."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


class Linger:
    """After an answer that came before the whole body did, swallows some more of it.

    A connection closed with bytes unread is reset, and the client loses the answer that says why.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not has_body(scope):
            await self._app(scope, receive, send)
            return
        read_all = False

        async def watched() -> Message:
            nonlocal read_all
            message = await receive()
            read_all = read_all or message["type"] == "http.disconnect" or not message.get("more_body", False)
            return message

        async def lingering(message: Message) -> None:
            if message["type"] == "http.response.start" and not read_all:
                # What is left of the body can't be told from a next request: there is none on this connection.
                MutableHeaders(scope=message)["Connection"] = "close"
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if last and not read_all:
                await send({**message, "more_body": True})
                await _swallow(watched, lambda: read_all)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app(scope, watched, lingering)


async def _swallow(receive: Receive, done: Callable[[], bool]) -> None:
    until = time.monotonic() + _LINGER_S
    try:
        async with asyncio.timeout(_LINGER_S):
            while not done() and time.monotonic() < until:
                await receive()
    except TimeoutError:
        return


def has_body(scope: Scope) -> bool:
    """Whether the request announces a body."""
    headers = Headers(scope=scope)
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def refuse_announced(headers: Headers, limit: int) -> None:
    """Refuses by what Content-Length says, before a byte is read."""
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > limit:
        raise too_large(limit)


def too_large(limit: int) -> BodyTooLarge:
    """The refusal of a body over ``limit`` bytes."""
    return BodyTooLarge(f"the body is over {limit / 1e6:g} MB", fix="send less")

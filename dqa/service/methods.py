"""HEAD wherever GET is answered, and every method that an address knows."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_KNOWN = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Heads:
    """Answers HEAD as GET without the body, for every route at once (ASGI layer).

    An answer that is streamed ends with its head: the server tells the stream that nobody listens any more.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        # A range is of a GET only (RFC 9110, section 14.2): the head is that of the whole.
        headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"range"]
        asked = {**scope, "method": "GET", "headers": headers}
        try:
            await self._app(asked, receive, _head_only(send))
        finally:
            scope["route"] = asked.get("route")  # for whoever counts requests by route


def _head_only(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return sending


def allowed(routes: Sequence[BaseRoute], scope: Scope) -> str:
    """The methods that the address of a request knows, as ``Allow`` lists them."""
    answered = [method for method in _KNOWN if any(_matches(route, scope, method) for route in routes)]
    if "GET" in answered:
        answered.insert(1, "HEAD")
    return ", ".join(answered)


def _matches(route: BaseRoute, scope: Scope, method: str) -> bool:
    return route.matches({**scope, "method": method})[0] is Match.FULL

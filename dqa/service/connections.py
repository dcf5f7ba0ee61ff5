"""Connections as uvicorn keeps them, without patience for those that hold a place and ask for nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import h11
import structlog
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from dqa.errors import UnavailableError
from dqa.service.headers import SECURITY_HEADERS
from dqa.service.problems import MEDIA_TYPE, MalformedHttp, problem_of, respond

log = structlog.get_logger(__name__)

MOST_CONNECTIONS = 512
"""More are answered 503, before open files run out."""

HEAD_S = 15.0
"""How long a request's headers may take to come: the first one's from the connection, others' from their first byte."""

UNREAD_S = 120.0
"""How long a client may leave an answer unread. A paused player asks again for the rest."""

FLUSH_S = 5.0
"""How long a connection that is closed may take to be rid of what is still to be sent."""

_RETRY_S = 5


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that waits only so long for a head and for a reader, and answers in problems where no route does."""

    _waiting: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._inner, self.app = self.app, self._admitted

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._waiting, self._unread = _stopped(self._waiting), _stopped(self._unread)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._at_rest() and self.conn.trailing_data[0]:
            self._await_head()

    def handle_events(self) -> None:
        super().handle_events()
        if not self._at_rest():
            self._waiting = _stopped(self._waiting)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing() and self._at_rest() and self.conn.trailing_data[0]:
            self._await_head()  # half a head came while the request before it was answered

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self._unread or self.loop.call_later(UNREAD_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread = _stopped(self._unread)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self.loop.call_later(FLUSH_S, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets the same kind of answer as everything else that is wrong."""
        body = json.dumps(problem_of(MalformedHttp("the request is no HTTP/1.1", fix="correct it"))).encode()
        headers = {**SECURITY_HEADERS, "Content-Type": MEDIA_TYPE, "Content-Length": str(len(body))}
        fields = [(name.encode(), value.encode()) for name, value in {**headers, "Connection": "close"}.items()]
        events = (h11.Response(status_code=400, headers=fields), h11.Data(data=body), h11.EndOfMessage())
        try:
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:  # an answer is under way already: nothing can be said any more
            log.info("a request broke off while it was answered")
        self._close()

    def _at_rest(self) -> bool:
        """Whether no request is under way."""
        # None before the first request, whatever uvicorn declares.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete

    def _await_head(self) -> None:
        self._waiting = self._waiting or self.loop.call_later(HEAD_S, self._close)

    def _close(self) -> None:
        self.transport.close()
        self.loop.call_later(FLUSH_S, self.transport.abort)

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        # This request is one of the tasks already.
        if len(self.connections) < MOST_CONNECTIONS and len(self.tasks) <= MOST_CONNECTIONS:
            await self._inner(scope, receive, send)
            return
        log.warning("too many connections", connections=len(self.connections))
        error = UnavailableError("too many connections are open", fix="try again in a moment")
        headers = {"Retry-After": str(_RETRY_S), "Connection": "close"}
        await respond(problem_of(error), headers)(scope, receive, send)


def _stopped(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()

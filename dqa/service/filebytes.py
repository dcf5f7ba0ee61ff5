"""A part of an open file as a response: read as fast as the client takes it, never held in memory."""

from __future__ import annotations

import os
from collections.abc import Mapping

from anyio import CancelScope, create_task_group
from anyio.to_thread import run_sync
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_CHUNK = 256 * 1024


class FileBytes(Response):
    """Sends ``part`` of an open file, and closes it whatever happens.

    Args:
        descriptor: open for reading; owned by the response from here on.
        part: offsets of the bytes to send.
        headers: the response's, without Content-Length.
        status: 200 or 206.
        media_type: of the file.
    """

    def __init__(self, descriptor: int, part: range, headers: Mapping[str, str], status: int, media_type: str) -> None:
        self._descriptor = descriptor
        self._part = part
        super().__init__(None, status, {**headers, "Content-Length": str(len(part))}, media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with create_task_group() as group:
                group.start_soon(_until_gone, receive, group.cancel_scope)
                await self._send(send)
                group.cancel_scope.cancel()
        finally:
            os.close(self._descriptor)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await self._send_part(send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_part(self, send: Send) -> None:
        at, end = self._part.start, self._part.stop
        while at < end:
            body = await run_sync(os.pread, self._descriptor, min(_CHUNK, end - at), at)
            if not body:
                raise OSError("the file became shorter while it was sent")
            at += len(body)
            await send({"type": "http.response.body", "body": body, "more_body": True})


async def _until_gone(receive: Receive, scope: CancelScope) -> None:
    """Ends ``scope`` once the client has left: the server swallows what is sent to nobody, and tells no sender."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()

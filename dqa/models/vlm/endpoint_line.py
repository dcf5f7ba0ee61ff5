"""The line to an endpoint: whole answers within a total time and a total size, whatever the server does.

httpx bounds each read, so that a server that sends a byte now and then could keep its caller for hours. Here the clock
runs over connection, headers and body alike: requests are tasks of a loop in a thread of its own, which ends them.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Generator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import httpx

LARGEST = 16 * 2**20
"""Most bytes of an answer. A list of all models of a large host has one or two million."""

_CONNECT_S = 5.0


class TooLarge(Exception):
    """The answer is larger than :data:`LARGEST`."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Line:
    """Sends requests, from any thread; :func:`line` opens one."""

    def __init__(self, client: httpx.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client, self._loop = client, loop

    def request(self, method: str, path: str, body: Mapping[str, Any] | None, within_s: float) -> Reply:
        """One request and its whole answer.

        Raises:
            TimeoutError: there is no whole answer by then.
            TooLarge: the answer is larger than :data:`LARGEST`.
            httpx.HTTPError: the line broke.
        """
        return asyncio.run_coroutine_threadsafe(self._whole(method, path, body, within_s), self._loop).result()

    async def _whole(self, method: str, path: str, body: Mapping[str, Any] | None, within_s: float) -> Reply:
        async with asyncio.timeout(within_s), self._client.stream(method, path, json=body) as answer:
            found = bytearray()
            async for piece in answer.aiter_bytes():
                found += piece
                if len(found) > LARGEST:
                    raise TooLarge
            return Reply(answer.status_code, answer.headers, bytes(found))


@contextlib.contextmanager
def line(url: str, headers: Mapping[str, str]) -> Generator[Line]:
    """A line to ``url`` while the block runs; requests that are still under way at its end are given up."""
    client = httpx.AsyncClient(base_url=url, headers=dict(headers), timeout=httpx.Timeout(None, connect=_CONNECT_S))
    open_now: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def kept_open() -> None:
        ended = asyncio.Event()
        async with client:
            open_now.set_result((asyncio.get_running_loop(), ended))
            await ended.wait()

    def run() -> None:
        try:
            asyncio.run(kept_open())
        except BaseException as error:  # whoever waits for the line must not wait for ever
            if open_now.done():
                raise
            open_now.set_exception(error)

    # A loop in a thread of its own: the caller's thread may have one that runs, as a notebook's has.
    thread = threading.Thread(target=run, name="endpoint", daemon=True)
    thread.start()
    loop, ended = open_now.result()
    try:
        yield Line(client, loop)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()

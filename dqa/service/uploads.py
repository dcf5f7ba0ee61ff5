"""An upload on its way to disk: streamed, counted, hashed and synced, never whole in memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from dqa.clip.container import sniff_bytes
from dqa.service.bodies import refuse_announced, too_large
from dqa.service.limits import HttpLimits
from dqa.service.multipart import FilePart
from dqa.service.problems import BodyTimeout
from dqa.store.disk import writing_files
from dqa.store.media import MediaShelf

_CHUNK = 1 << 20
_FORM_OVERHEAD = 65_536
_WHAT = "the upload"


@dataclass(frozen=True, slots=True)
class Upload:
    """A finished upload, not yet kept: where it lies, its hash, and what the sender called it."""

    part: Path
    sha256: str
    suffix: str
    name: str


@asynccontextmanager
async def receive_upload(
    request: Request, shelf: MediaShelf, limits: HttpLimits, max_bytes: int
) -> AsyncGenerator[Upload]:
    """Writes the body to a temporary file, which is gone when the block is left unless it was kept.

    Raises:
        BodyTooLarge, BodyTimeout: over the limits.
        UnsupportedMedia, Undecodable: by its first bytes, not a format DQA opens.
        UnavailableError: the disk is full.
    """
    refuse_announced(request.headers, max_bytes + _FORM_OVERHEAD)
    sink = _Sink(await run_in_threadpool(shelf.temporary), max_bytes)
    try:
        form = FilePart.of(request.headers.get("content-type", ""))
        async for chunk in _paced(request, limits, max_bytes + _FORM_OVERHEAD):
            for data in form.feed(chunk) if form else (chunk,):
                await sink.write(data)
        name = form.finish() if form else ""
        yield await sink.finish(name)
    finally:
        await run_in_threadpool(sink.discard)


class _Sink:
    """A file that takes no more than ``max_bytes``, and only what starts like media."""

    def __init__(self, part: Path, max_bytes: int) -> None:
        self._part = part
        self._max = max_bytes
        with writing_files(_WHAT):
            self._file = part.open("xb", buffering=0)
        self._hash = hashlib.sha256()
        self._buffer = bytearray()
        self._size = 0
        self._suffix = ""

    async def write(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._max:
            raise too_large(self._max)
        self._buffer += data
        if len(self._buffer) >= _CHUNK:
            await run_in_threadpool(self._flush)

    async def finish(self, name: str) -> Upload:
        await run_in_threadpool(self._close)
        return Upload(self._part, self._hash.hexdigest(), self._suffix, display_name(name))

    def _flush(self) -> None:
        if not self._suffix:  # the first bytes decide: nothing else of a wrong file is ever written
            self._suffix = f".{sniff_bytes(bytes(self._buffer[:4096])).value}"
        self._hash.update(self._buffer)
        with writing_files(_WHAT):
            self._file.write(self._buffer)
        self._buffer.clear()

    def _close(self) -> None:
        self._flush()
        with writing_files(_WHAT):
            os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)


async def _paced(request: Request, limits: HttpLimits, most: int) -> AsyncIterator[bytes]:
    """The body's chunks, up to ``most`` bytes, whatever they belong to; raises ``BodyTimeout`` when they come slowly.

    A form's other fields, and what follows its end, are thrown away, and would otherwise be thrown away for ever.
    """
    began = time.monotonic()
    size = 0
    chunks = request.stream().__aiter__()
    while True:
        try:
            async with asyncio.timeout(limits.upload_stall_s):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except (TimeoutError, ClientDisconnect):
            raise BodyTimeout("the upload stalled", fix="send it again on a better line") from None
        size += len(chunk)
        if size > most:
            raise too_large(most - _FORM_OVERHEAD)
        spent = time.monotonic() - began
        if spent > limits.upload_stall_s and size < limits.upload_bytes_per_s * spent:
            raise BodyTimeout("the upload is too slow", fix="send it again on a better line")
        yield chunk


def display_name(name: str) -> str:
    """A sender's file name, fit to be shown: its last part, without control characters, not over 200 letters.

    >>> display_name("C:\\\\clips\\\\..\\\\wolf.mp4"), display_name("a/b\\r\\n.mp4")
    ('wolf.mp4', 'b.mp4')
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable()).strip()[:200]

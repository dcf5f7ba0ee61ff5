"""The child's end of the pipe: checks what the decoders found against the request, and sends it."""

from __future__ import annotations

import os
from dataclasses import asdict

from dqa.clip.protocol import Code, End, Head, Header, Kind, Request, dump

Buffer = bytes | memoryview


class Refusal(Exception):
    """The media can't or may not be decoded, for the reason ``code``."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.value)
        self.code = code


class Outlet:
    """Sends one clip.

    Args:
        descriptor: the pipe, blocking.
        request: what was asked for.
    """

    def __init__(self, descriptor: int, request: Request) -> None:
        self._descriptor = descriptor
        self._request = request
        self._head: Head | None = None
        self._sent = 0

    def check_size(self, width: int, height: int, frames: int = 1) -> None:
        """Refuses a clip by what its header claims, before anything is decoded."""
        if width * height > self._request.max_pixels:
            raise Refusal(Code.TOO_MANY_PIXELS)
        self._check_count(width * height, frames)

    def open(self, width: int, height: int) -> tuple[int, int]:
        """Announces the size of the upright clip; returns the size in which to send its frames."""
        self.check_size(width, height)
        if min(width, height) < self._request.min_side:
            raise Refusal(Code.TOO_SMALL)
        sent = _within(width, height, self._request.max_side)
        self._head = Head(width, height, *sent)
        self._control(Kind.HEAD, asdict(self._head))
        return sent

    def due(self) -> bool:
        """Whether the next frame is to be sent at all; if not, :meth:`skip` it, and save its conversion."""
        return self._sent >= self._request.first

    def skip(self) -> None:
        """Counts a frame that is not sent."""
        self._count()

    def frame(self, time_s: float, pixels: Buffer) -> None:
        """Sends one frame: RGB, in the size that :meth:`open` returned."""
        index = self._count()
        self._write(Header(Kind.FRAME, index, len(pixels), time_s).pack(), pixels)

    def end(self, end: End) -> None:
        """Tells that the clip is over."""
        if self._sent == 0:
            raise Refusal(Code.NO_FRAMES)
        self._control(Kind.END, asdict(end))

    def error(self, code: Code) -> None:
        """Tells that the clip can't be had."""
        self._control(Kind.ERROR, {"code": code.value})

    def _count(self) -> int:
        if self._head is None:
            raise Refusal(Code.BROKEN)
        self._sent += 1
        self._check_count(self._head.width * self._head.height, self._sent)
        return self._sent - 1

    def _check_count(self, pixels: int, frames: int) -> None:
        if frames > self._request.max_frames or frames * pixels > self._request.max_total_pixels:
            raise Refusal(Code.TOO_MANY_FRAMES)

    def _control(self, kind: Kind, fields: dict[str, object]) -> None:
        payload = dump(fields)
        self._write(Header(kind, 0, len(payload), 0.0).pack(), payload)

    def _write(self, header: bytes, payload: Buffer) -> None:
        # One call sends both in the usual case; a pipe may still take less than it is given.
        sent = os.writev(self._descriptor, [header, payload])
        if sent < len(header):
            raise BrokenPipeError
        rest = memoryview(payload)[sent - len(header) :]
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


def _within(width: int, height: int, max_side: int) -> tuple[int, int]:
    longest = max(width, height)
    if not 0 < max_side < longest:
        return width, height
    return max(1, round(width * max_side / longest)), max(1, round(height * max_side / longest))

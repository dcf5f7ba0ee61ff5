"""The parent's end: starts a decoder process, reads what it says, and ends it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import numpy as np

from dqa.clip.frame import Image
from dqa.clip.protocol import HEADER, NOT_INSTALLED, Header, ProtocolError, Request

# -P: a folder with a file named av.py must not become part of the decoder because someone stands in it.
_COMMAND = (sys.executable, "-P", "-m", "dqa.clip.decoder")
_PIPE_BYTES = 2**20
_PACKAGE_HOME = str(Path(__file__).parents[2])
# Nothing else of the environment goes to the process that reads hostile bytes: it holds tokens and keys.
_PASSED_ON = ("PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")


class DecoderGone(Exception):
    """The process ended before it said that it was done."""


class DecoderSlow(Exception):
    """The process kept its reader waiting for longer than allowed."""


class DecoderProcess:
    """One run of :mod:`dqa.clip.decoder`. A context manager; leaving it kills the process.

    Args:
        media: descriptor of the media file, at its start; stays the caller's.
        request: what to decode.
        timeout_s: longest that reads may wait, in seconds, all together.
    """

    def __init__(self, media: int, request: Request, timeout_s: float) -> None:
        self._left_s = timeout_s
        self._process = subprocess.Popen(  # noqa: S603 - our own module, arguments as a list
            [*_COMMAND, request.to_argument()],
            stdin=media,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env=_environment(os.environ),
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - Popen's promise, for the type checker
        self._pipe = self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._pipe, select.POLLIN)
        with contextlib.suppress(OSError, AttributeError):  # no room for pipes, or not Linux: it is only slower
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def __enter__(self) -> DecoderProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def lacks_packages(self) -> bool:
        """Of a process that is gone: whether that was for want of a package, not for the media's sake."""
        self.kill()
        return self._process.wait() == NOT_INSTALLED

    def kill(self) -> None:
        """Ends it at once. From any thread; a reader that waits gets :class:`DecoderGone`."""
        self._process.kill()

    def header(self) -> Header:
        """The next header.

        Raises:
            DecoderGone: it died.
            DecoderSlow: it took too long.
            ProtocolError: it sent something out of form.
        """
        data = bytearray(HEADER.size)
        self._fill(memoryview(data))
        return Header.unpack(data)

    def payload(self, header: Header) -> bytes:
        """The JSON that follows a header of any kind but FRAME; raises as :meth:`header` does."""
        data = bytearray(header.length)
        self._fill(memoryview(data))
        return bytes(data)

    def pixels(self, header: Header, width: int, height: int) -> Image:
        """The frame that follows a header, read straight into the array; raises as :meth:`header` does."""
        if header.length != width * height * 3:
            raise ProtocolError("a frame of the wrong size")
        image = np.empty((height, width, 3), np.uint8)
        self._fill(image.data.cast("B"))
        return image

    def _fill(self, view: memoryview) -> None:
        while view:
            self._wait()
            count = os.readv(self._pipe, [view])
            if count == 0:
                raise DecoderGone
            view = view[count:]

    def _wait(self) -> None:
        if self._poll.poll(0):
            return
        started = time.monotonic()
        ready = self._poll.poll(max(0.0, self._left_s) * 1000)
        self._left_s -= time.monotonic() - started
        if not ready:
            raise DecoderSlow


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    # The child finds this very package even where the parent found it through its working folder or sys.path.
    path = os.pathsep.join(part for part in (_PACKAGE_HOME, environ.get("PYTHONPATH", "")) if part)
    passed_on = {name: environ[name] for name in _PASSED_ON if name in environ}
    return {**passed_on, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}

"""A clip: a media file that passed the guards, and its frames, decoded once in a process of their own.

>>> from dqa.clip.clip import Clip
>>> from dqa.clip.limits import Limits
>>> clip = Clip.open("tests/data/clips/wan21_04_base.mp4", Limits())
>>> sum(1 for frame in clip.frames())
33
>>> clip.media.fps, clip.media.corrupt_packets
(16.0, 0)
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import BinaryIO

from dqa.clip.container import Container, sniff_bytes
from dqa.clip.frame import Frame
from dqa.clip.guard import open_regular, resolve_media
from dqa.clip.limits import Limits
from dqa.clip.process import DecoderGone, DecoderProcess, DecoderSlow
from dqa.clip.protocol import (
    Code,
    End,
    Head,
    Header,
    Kind,
    ProtocolError,
    Request,
    parse_end,
    parse_error,
    parse_head,
)
from dqa.clip.refusals import refusal
from dqa.errors import Cancelled, DQAError, InputError, MediaTooLarge, UnavailableError, Undecodable
from dqa.record import Media

_SNIFF_BYTES = 4096


class Clip:
    """One media file, opened with :meth:`open`.

    Attributes:
        path: its real path.
        container: its format, by its bytes.
        sha256: hash of the whole file, in hex.
    """

    def __init__(
        self, path: Path, container: Container, sha256: str, identity: tuple[int, ...], limits: Limits
    ) -> None:
        self.path = path
        self.container = container
        self.sha256 = sha256
        self._identity = identity
        self._limits = limits
        self._media: Media | None = None
        self._lock = threading.Lock()
        self._running: set[DecoderProcess] = set()
        self._cancelled = False

    @classmethod
    def open(cls, path: str | os.PathLike[str], limits: Limits, roots: Sequence[Path] | None = None) -> Clip:
        """Guards, hashes and sniffs a file; decodes nothing yet.

        Args:
            path: the file; see :func:`dqa.clip.guard.resolve_media`.
            limits: how much to read at most.
            roots: folders it must lie in; None for the operator's own choice.

        Raises:
            MediaNotFound: no such file.
            MediaRefused: outside the roots, unreadable, or not a file's name.
            MediaTooLarge: more bytes than allowed.
            UnsupportedMedia: not one of the formats DQA opens.
            Undecodable: the file is empty.
        """
        real = resolve_media(path, roots)
        with os.fdopen(open_regular(real), "rb") as file:
            if os.fstat(file.fileno()).st_size > limits.max_bytes:
                fix = f"give a file of at most {limits.max_bytes / 1e6:g} MB, or raise DQA_MAX_MEDIA_MB"
                raise MediaTooLarge("the file is too large", fix=fix, where=str(real))
            identity = _identity(file)
            container = sniff_bytes(file.read(_SNIFF_BYTES), where=str(real))
            file.seek(0)
            return cls(real, container, hashlib.file_digest(file, "sha256").hexdigest(), identity, limits)

    @property
    def media(self) -> Media:
        """The clip's facts, as the decode found them.

        Raises:
            RuntimeError: :meth:`frames` was not read to its end yet.
        """
        if self._media is None:
            raise RuntimeError("the clip's facts are known once frames() was read to its end")
        return self._media

    def frames(self, max_side: int | None = None, *, first: int = 0) -> Generator[Frame, None, None]:
        """Every frame in display order, one decode, one frame in memory at a time.

        Args:
            max_side: scales frames down to this long side, in pixels (area filter); None keeps the full resolution.
            first: frames before this index are decoded but left out; then :attr:`media` stays unknown.

        Raises:
            MediaTooLarge: more pixels or frames than allowed.
            InputError: too small to be judged, or changed since it was opened.
            UnsupportedMedia: no video in it.
            Undecodable: no frame comes out, or the decoder died or was too slow.
            Cancelled: :meth:`cancel` was called.
            UnavailableError: PyAV or Pillow is not installed.
        """
        with os.fdopen(open_regular(self.path), "rb") as file:
            if _identity(file) != self._identity:
                raise InputError("the file changed while it was read", fix="try again", where=str(self.path))
            with DecoderProcess(file.fileno(), self._request(max_side, first), self._limits.timeout_s) as process:
                self._enter(process)
                try:
                    yield from self._read(process, first)
                except DecoderSlow:
                    raise self._too_slow() from None
                except (DecoderGone, ProtocolError):
                    raise self._died(process) from None
                finally:
                    self._leave(process)

    def cancel(self) -> None:
        """Ends every decode of this clip at once, from any thread; who reads it gets :class:`Cancelled`."""
        with self._lock:
            self._cancelled = True
            for process in self._running:
                process.kill()

    def _enter(self, process: DecoderProcess) -> None:
        with self._lock:
            if self._cancelled:
                raise Cancelled("the clip was cancelled")
            self._running.add(process)

    def _leave(self, process: DecoderProcess) -> None:
        with self._lock:
            self._running.discard(process)

    def _read(self, process: DecoderProcess, first: int) -> Generator[Frame, None, None]:
        head = self._head(process)
        scale = head.width / head.sent_width
        due, last_s = first, -math.inf
        while (header := process.header()).kind is Kind.FRAME:
            self._check(header, due, last_s)
            image = process.pixels(header, head.sent_width, head.sent_height)
            due, last_s = due + 1, header.time_s
            yield Frame(header.index, header.time_s, image, scale)
        end = parse_end(self._control(process, header, Kind.END))
        if due == 0:
            raise ProtocolError("an end without a frame")
        if first == 0:
            self._media = self._facts(head, end, due, last_s)

    def _head(self, process: DecoderProcess) -> Head:
        head = parse_head(self._control(process, process.header(), Kind.HEAD))
        if head.width * head.height > self._limits.max_pixels:
            raise ProtocolError("more pixels than allowed")
        return head

    def _control(self, process: DecoderProcess, header: Header, wanted: Kind) -> bytes:
        """The payload of a control message of the wanted kind; what the child refused becomes an error here."""
        payload = process.payload(header) if header.kind is not Kind.FRAME else b""
        if header.kind is Kind.ERROR:
            raise refusal(parse_error(payload), self._limits, str(self.path))
        if header.kind is not wanted:
            raise ProtocolError("not the message that was due")
        return payload

    def _check(self, header: Header, due: int, last_s: float) -> None:
        in_order = header.index == due < self._limits.max_frames
        if not in_order or not last_s < header.time_s < math.inf or header.time_s < 0:
            raise ProtocolError("a frame out of order")

    def _facts(self, head: Head, end: End, count: int, last_s: float) -> Media:
        fps = _rate(count, last_s, end.rate)
        still = self.container.is_picture and count == 1
        tail_s = end.tail_s or (1 / fps if fps else 0.0)
        return Media(
            sha256=self.sha256,
            kind="image" if still else "video",
            width=head.width,
            height=head.height,
            fps=0.0 if still else fps,
            frames=count,
            duration_s=0.0 if still else last_s + tail_s,
            corrupt_packets=end.corrupt_packets,
        )

    def _request(self, max_side: int | None, first: int) -> Request:
        limits = self._limits
        return Request(
            container=self.container.value,
            max_pixels=limits.max_pixels,
            max_frames=limits.max_frames,
            max_total_pixels=limits.max_total_pixels,
            min_side=limits.min_side,
            memory_bytes=limits.memory_bytes,
            cpu_s=math.ceil(limits.timeout_s) + 1,
            max_side=max_side or 0,
            first=first,
        )

    def _too_slow(self) -> Undecodable:
        return Undecodable(
            f"decoding took longer than {self._limits.timeout_s:g} s",
            fix="give a shorter or smaller clip, or raise DQA_DECODE_TIMEOUT_S",
            where=str(self.path),
        )

    def _died(self, process: DecoderProcess) -> DQAError:
        if self._cancelled:
            return Cancelled("the clip was cancelled")
        if process.lacks_packages():
            return UnavailableError("the packages that decode media are missing", fix="pip install 'dqa[embedded]'")
        return refusal(Code.BROKEN, self._limits, str(self.path))


def _identity(file: BinaryIO) -> tuple[int, ...]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _rate(count: int, last_s: float, claimed: float) -> float:
    """Frames per second: the container's exact rate where the frames keep to it, else what they really do."""
    if count < 2 or last_s <= 0:
        return claimed
    measured = (count - 1) / last_s
    return claimed if abs(claimed - measured) <= 0.01 * measured else measured

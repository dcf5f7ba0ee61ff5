"""What the decoder process and its parent say to each other.

The parent sends one :class:`Request` as an argument. The child answers on a pipe with messages, each a header of
fixed size and a payload: HEAD (JSON), FRAME (pixels) any number of times, then END (JSON) or ERROR (JSON).
The child handles hostile bytes, so the parent trusts nothing it says: every header is checked against the limits before
a byte of its payload is read. No pickle, no numpy: the child must start quickly.
"""

from __future__ import annotations

import enum
import json
import math
import struct
from dataclasses import asdict, dataclass
from typing import Any

HEADER = struct.Struct("<4sB3xIQd")
"""Magic, kind, frame index, payload bytes, frame time in seconds."""
MAGIC = b"DQA1"
CONTROL_BYTES = 4096
"""Longest JSON payload."""
NOT_INSTALLED = 3
"""Exit status of a child that lacks a package it needs; no file is to blame."""
_HEAD_FIELDS = ("width", "height", "sent_width", "sent_height")


class Kind(enum.IntEnum):
    """What a message is."""

    HEAD = 1
    FRAME = 2
    END = 3
    ERROR = 4


class Code(enum.StrEnum):
    """Why the child gave up. Only these words cross: the text of a library's error may hold paths."""

    NO_VIDEO = "no_video"
    BROKEN = "broken"
    NO_FRAMES = "no_frames"
    TOO_SMALL = "too_small"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MANY_FRAMES = "too_many_frames"
    MEMORY = "memory"


class ProtocolError(Exception):
    """The other side sent something out of form."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to decode: the container as sniffed, and how much at most.

    ``first`` frames are decoded but neither converted nor sent; ``max_side`` 0 keeps the full resolution.
    """

    container: str
    max_pixels: int
    max_frames: int
    max_total_pixels: int
    min_side: int
    memory_bytes: int
    cpu_s: int
    max_side: int = 0
    first: int = 0

    def to_argument(self) -> str:
        """As one command-line argument."""
        return json.dumps(asdict(self))

    @classmethod
    def from_argument(cls, text: str) -> Request:
        """Reads what :meth:`to_argument` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Head:
    """Size of the upright clip in pixels, and of the frames as sent (at most as large)."""

    width: int
    height: int
    sent_width: int
    sent_height: int


@dataclass(frozen=True, slots=True)
class End:
    """What only the whole decode tells: packets lost or flagged, the container's rate (0 if it has none), and how
    long the last frame stays on screen, in seconds (0 if unknown)."""

    corrupt_packets: int
    rate: float
    tail_s: float


@dataclass(frozen=True, slots=True)
class Header:
    """The start of a message."""

    kind: Kind
    index: int
    length: int
    time_s: float

    def pack(self) -> bytes:
        """The header's bytes."""
        return HEADER.pack(MAGIC, self.kind, self.index, self.length, self.time_s)

    @classmethod
    def unpack(cls, data: bytes | bytearray) -> Header:
        """Reads a header; raises :class:`ProtocolError` on anything else."""
        magic, kind, index, length, time_s = HEADER.unpack(data)
        if magic != MAGIC or kind not in set(Kind):
            raise ProtocolError("not a message")
        if kind != Kind.FRAME and length > CONTROL_BYTES:
            raise ProtocolError("a control message is too long")
        return cls(Kind(kind), index, length, time_s)


def parse_head(payload: bytes) -> Head:
    """Reads the payload of a HEAD message; raises :class:`ProtocolError` on anything else."""
    data = _fields(payload, _HEAD_FIELDS)
    head = Head(*(_whole(data[name]) for name in _HEAD_FIELDS))
    if not (0 < head.sent_width <= head.width and 0 < head.sent_height <= head.height):
        raise ProtocolError("sizes out of range")
    return head


def parse_end(payload: bytes) -> End:
    """Reads the payload of an END message; raises :class:`ProtocolError` on anything else."""
    data = _fields(payload, ("corrupt_packets", "rate", "tail_s"))
    return End(_whole(data["corrupt_packets"]), _real(data["rate"]), _real(data["tail_s"]))


def parse_error(payload: bytes) -> Code:
    """Reads the payload of an ERROR message; raises :class:`ProtocolError` on anything else."""
    code = _fields(payload, ("code",))["code"]
    if code not in set(Code):
        raise ProtocolError("unknown code")
    return Code(code)


def dump(fields: dict[str, Any]) -> bytes:
    """A control payload."""
    return json.dumps(fields).encode("ascii")


def _fields(payload: bytes, names: tuple[str, ...]) -> dict[str, Any]:
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError):
        raise ProtocolError("not JSON") from None
    if not isinstance(data, dict) or set(data) != set(names):  # pyright: ignore[reportUnknownArgumentType]
        raise ProtocolError("wrong fields")
    return data  # pyright: ignore[reportUnknownVariableType]


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise ProtocolError("not a whole number in range")
    return value


def _real(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise ProtocolError("not a number in range")
    return float(value)

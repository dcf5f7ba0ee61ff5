"""Stills as JPEG data URIs, each within a number of bytes, so that a report's size has a bound."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image

from dqa.clip.frame import Frame

_QUALITIES = (85, 75, 60, 45, 30)


@dataclass(frozen=True, slots=True)
class Picture:
    """A still, ready for ``<img src>``. ``width`` and ``height`` are its own, in pixels."""

    frame: int
    time_s: float
    uri: str
    width: int
    height: int


def picture(frame: Frame, longest: int, most_bytes: int) -> Picture:
    """``frame`` with its long side at most ``longest`` pixels, in at most about ``most_bytes`` of JPEG."""
    return _picture(Image.fromarray(frame.image), frame.index, frame.time_s, (longest, most_bytes))


def smaller(made: Picture, longest: int, most_bytes: int) -> Picture:
    """The same still in fewer pixels and bytes."""
    data = base64.b64decode(made.uri.partition(",")[2])
    with Image.open(io.BytesIO(data)) as image:
        return _picture(image, made.frame, made.time_s, (longest, most_bytes))


def _picture(image: Image.Image, frame: int, time_s: float, bounds: tuple[int, int]) -> Picture:
    longest, most_bytes = bounds
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    data = _encoded(image, most_bytes)
    uri = f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"
    return Picture(frame, time_s, uri, image.width, image.height)


def _encoded(image: Image.Image, most_bytes: int) -> bytes:
    data = b""
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True)
        data = buffer.getvalue()
        if len(data) <= most_bytes:
            break
    return data

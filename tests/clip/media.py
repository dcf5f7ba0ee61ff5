"""Makes small media files for the tests: honest ones, and ones that lie."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]

CODECS = {"mp4": "libx264", "mov": "libx264", "webm": "libvpx-vp9"}


def pattern(n: int, width: int = 96, height: int = 64) -> Picture:
    """Frame ``n`` of a moving scene: a gradient, a square that moves 3 pixels a frame, and a bar that counts."""
    y, x = np.mgrid[0:height, 0:width]
    picture = np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 90)], axis=-1).astype(np.uint8)
    left = (3 * n) % (width - 16)
    picture[8:24, left : left + 16] = (240, 240, 30)
    return picture


def quadrants(width: int = 96, height: int = 64) -> Picture:
    """Red top left, green top right, blue bottom left, white bottom right: tells every turn and mirror apart."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = (220, 30, 30)
    picture[: height // 2, width // 2 :] = (30, 200, 30)
    picture[height // 2 :, : width // 2] = (30, 30, 220)
    picture[height // 2 :, width // 2 :] = (235, 235, 235)
    return picture


def corners(picture: Picture) -> str:
    """The quadrants of a picture in reading order, as letters of :func:`quadrants`."""
    height, width = picture.shape[:2]
    names = {"r": (220, 30, 30), "g": (30, 200, 30), "b": (30, 30, 220), "w": (235, 235, 235)}

    def nearest(y: int, x: int) -> str:
        pixel = picture[y, x].astype(int)
        return min(names, key=lambda name: int(np.abs(pixel - names[name]).sum()))

    rows, columns = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    return "".join(nearest(y, x) for y in rows for x in columns)


def write_video(
    path: Path,
    frames: Sequence[Picture],
    *,
    rate: int = 10,
    times: Sequence[Fraction] | None = None,
    codec: str | None = None,
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    prepare: Callable[[av.VideoStream], None] | None = None,
    colour: tuple[str, str] | None = None,
) -> Path:
    """Encodes a video; the format follows the name. ``times`` are presentation times in seconds."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec or CODECS[path.suffix[1:]], rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.options = options or {}
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if prepare is not None:
            prepare(stream)
        for n, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            if colour is not None:
                space, span = colour
                frame = frame.reformat(format=pixel_format, dst_colorspace=space, dst_color_range=span)
            if times is not None:
                frame.pts, frame.time_base = int(times[n] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def video(path: Path, count: int = 12, **how: object) -> Path:
    """A video of ``count`` frames of :func:`pattern`, 10 a second."""
    return write_video(path, [pattern(n) for n in range(count)], **how)  # type: ignore[arg-type]


def animation(path: Path, count: int = 6, duration_ms: int | list[int] = 80) -> Path:
    """An animated GIF, WebP or PNG of ``count`` frames of :func:`pattern`."""
    images = [Image.fromarray(pattern(n)) for n in range(count)]
    images[0].save(path, save_all=True, append_images=images[1:], duration=duration_ms, loop=0)
    return path


def png_that_claims(width: int, height: int, data: bytes | None = None) -> bytes:
    """A few bytes of PNG whose header promises a picture of that size; ``data`` stands where its pixels should."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000)) if data is None else data
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")

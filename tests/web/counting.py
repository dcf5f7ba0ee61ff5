"""Clips that count their frames in the picture, and a reader for what a browser shows of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from playwright.sync_api import Page

_BITS = 8
_BLOCK = 32

# Reads the blocks off each clip's picture as it is on the screen: white is 1, the leftmost counts most.
_READ = """() => [...document.querySelectorAll('.pane canvas, .pane img')].map((shown) => {
  const canvas = new OffscreenCanvas(256, 64);
  const context = canvas.getContext('2d');
  context.drawImage(shown, 0, 0, 256, 64, 0, 0, 256, 64);
  const row = context.getImageData(0, 32, 256, 1).data;
  let number = 0;
  for (let bit = 0; bit < 8; bit++) number = 2 * number + (row[4 * (bit * 32 + 16)] > 127 ? 1 : 0);
  return number;
})"""

# Reads them at each paint, for as long as no newer watch begins.
_WATCH = f"""() => {{
  const read = {_READ};
  window.looks = [];
  const watch = (window.watch = {{}});
  const began = performance.now();
  const look = (now) => {{
    if (window.watch !== watch) return;
    window.looks.push([(now - began) / 1000, ...read()]);
    requestAnimationFrame(look);
  }};
  requestAnimationFrame(look);
}}"""


def counting_clip(path: Path, frames: int, fps: int, codec: str = "libx264", first: int = 0) -> Path:
    """Writes a clip of 256 x 64 pixels whose frame n shows ``first + n`` in binary.

    The clip is encoded as web players expect it, with frames that depend on later ones where the codec has them.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = _BITS * _BLOCK, 2 * _BLOCK, "yuv420p"
        for n in range(frames):
            container.mux(stream.encode(_picture(first + n)))
        container.mux(stream.encode())
    return path


def numbered_clip(path: Path, source: Path, first: int = 0) -> Path:
    """Writes a real clip anew with the number ``first + n`` in the upper left corner of its frame n."""
    with av.open(str(source)) as given, av.open(str(path), "w") as container:
        taken = given.streams.video[0]
        stream = container.add_stream("libx264", rate=taken.average_rate)
        stream.width, stream.height, stream.pix_fmt = taken.width, taken.height, "yuv420p"
        for n, frame in enumerate(given.decode(taken)):
            picture = frame.to_ndarray(format="rgb24")
            picture[: 2 * _BLOCK, : _BITS * _BLOCK] = _blocks(first + n)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def start_looking(page: Page) -> None:
    """Begins to note what is on the screen, at each paint."""
    page.evaluate(_WATCH)


def looks(page: Page) -> list[tuple[float, int, int]]:
    """What was noted: seconds since the watch began, the numbers on the left and on the right."""
    return [(at, left, right) for at, left, right in page.evaluate("() => window.looks")]


def shown(page: Page) -> list[int]:
    """The numbers that the page shows, left and right."""
    return page.evaluate(_READ)


def _picture(number: int) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(_blocks(number), format="rgb24")


def _blocks(number: int) -> np.ndarray:
    bits = [(number >> (_BITS - 1 - i)) & 1 for i in range(_BITS)]
    row = np.repeat(np.array(bits, dtype=np.uint8) * 255, _BLOCK)
    return np.repeat(np.tile(row, (2 * _BLOCK, 1))[:, :, None], 3, axis=2)

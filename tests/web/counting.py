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

# Draws each clip's picture and reads the blocks: white is 1, the leftmost counts most.
_READ = """() => [...document.querySelectorAll('.pane video, .pane img')].map((shown) => {
  const canvas = new OffscreenCanvas(256, 64);
  const context = canvas.getContext('2d');
  context.drawImage(shown, 0, 0, 256, 64);
  const row = context.getImageData(0, 32, 256, 1).data;
  let number = 0;
  for (let bit = 0; bit < 8; bit++) number = 2 * number + (row[4 * (bit * 32 + 16)] > 127 ? 1 : 0);
  return number;
})"""


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


def shown(page: Page) -> list[int]:
    """The numbers that the page shows, left and right."""
    return page.evaluate(_READ)


def _picture(number: int) -> av.VideoFrame:
    bits = [(number >> (_BITS - 1 - i)) & 1 for i in range(_BITS)]
    row = np.repeat(np.array(bits, dtype=np.uint8) * 255, _BLOCK)
    return av.VideoFrame.from_ndarray(np.repeat(np.tile(row, (2 * _BLOCK, 1))[:, :, None], 3, axis=2), format="rgb24")

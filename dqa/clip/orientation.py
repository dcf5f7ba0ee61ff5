"""Turns frames upright, as the display matrix of a video track asks.

A point (x, y) of the coded picture is shown at (a x + c y, b x + d y), with y pointing down (ISO/IEC 14496-12, 6.2.2).
Only quarter turns and mirrors are known; an angle between is taken to the nearest.
"""

from __future__ import annotations

import struct

from PIL import Image, ImageFile

from dqa.clip.outlet import Buffer

# Pillow would import it on first need, when nothing can be opened any more.
_NEEDED = (ImageFile,)
_MATRIX = struct.Struct("=9i")
_TRANSPOSE = Image.Transpose
_BY_AXES = {
    ((0, 1), (-1, 0)): _TRANSPOSE.ROTATE_270,
    ((-1, 0), (0, -1)): _TRANSPOSE.ROTATE_180,
    ((0, -1), (1, 0)): _TRANSPOSE.ROTATE_90,
    ((-1, 0), (0, 1)): _TRANSPOSE.FLIP_LEFT_RIGHT,
    ((1, 0), (0, -1)): _TRANSPOSE.FLIP_TOP_BOTTOM,
    ((0, 1), (1, 0)): _TRANSPOSE.TRANSPOSE,
    ((0, -1), (-1, 0)): _TRANSPOSE.TRANSVERSE,
}
_SWAPPING = {_TRANSPOSE.ROTATE_90, _TRANSPOSE.ROTATE_270, _TRANSPOSE.TRANSPOSE, _TRANSPOSE.TRANSVERSE}


class Orientation:
    """How coded frames are turned into upright ones.

    Args:
        matrix: FFmpeg's display matrix (9 native 32-bit integers), or None for none.
    """

    def __init__(self, matrix: bytes | None) -> None:
        self._turn = _turn(matrix)

    @property
    def swaps(self) -> bool:
        """Whether width and height change places."""
        return self._turn in _SWAPPING

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The upright size of a coded frame, and the coded size of an upright one."""
        return (height, width) if self.swaps else (width, height)

    def apply(self, width: int, height: int, pixels: Buffer) -> Buffer:
        """The upright pixels (RGB, no padding) of a coded ``width`` x ``height`` frame."""
        if self._turn is None:
            return pixels
        return Image.frombytes("RGB", (width, height), pixels).transpose(self._turn).tobytes()


def _turn(matrix: bytes | None) -> Image.Transpose | None:
    if matrix is None or len(matrix) < _MATRIX.size:
        return None
    a, b, _, c, d, *_ = _MATRIX.unpack_from(matrix)
    return _BY_AXES.get((_axis(a, b), _axis(c, d)))


def _axis(x: int, y: int) -> tuple[int, int]:
    """The nearest of the four directions."""
    return ((x > 0) - (x < 0), 0) if abs(x) > abs(y) else (0, (y > 0) - (y < 0))

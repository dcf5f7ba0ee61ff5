"""One decoded frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""H x W x 3, RGB, 0..255, upright (rotation and EXIF orientation applied)."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a clip.

    Attributes:
        index: position in display order, from 0, counted over decoded frames.
        time_s: presentation time in seconds from the first frame; strictly increasing within a clip.
        image: the pixels; may be scaled down from the original (see ``scale``), never up.
        scale: original width / width of ``image`` (>= 1): multiply a coordinate in ``image`` by it
            to get pixels of the original frame.
    """

    index: int
    time_s: float
    image: Image
    scale: float = 1.0

"""A frame as its colours: a signature that needs no network, outlasts motion, and breaks at another scene."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dqa.clip.frame import Image

_BINS = 6


class ColourSignature:
    """Encodes images as L2-normalised square roots of a 6 x 6 x 6 RGB histogram.

    The cosine of two is the Bhattacharyya coefficient of the histograms: 1 for the same colours in the same amounts,
    wherever they stand, 0 for none in common.
    """

    def encode(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """n x 216."""
        rows = np.array([_histogram(image) for image in images], np.float32).reshape(len(images), _BINS**3)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _histogram(image: Image) -> NDArray[np.float32]:
    # Blurred, so that grain moves no pixel into the next bin.
    smooth = cv2.blur(image, (5, 5))
    counts = cv2.calcHist([smooth], [0, 1, 2], None, [_BINS] * 3, [0, 256] * 3)
    # And neighbouring bins share, so that a slight change of light is a slight change here.
    for axis in range(3):
        padded = np.pad(counts, [(1, 1) if i == axis else (0, 0) for i in range(3)])
        below, above = (np.take(padded, range(start, start + _BINS), axis) for start in (0, 2))
        counts = 0.5 * counts + 0.25 * (below + above)
    return np.sqrt(counts).ravel().astype(np.float32)

"""What the channels ask of a model, whatever family fills the role."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dqa.clip.frame import Image

Vectors = NDArray[np.float32]
"""n x d, one L2-normalised row per input, independent of how many are asked for at once."""


class ImageEncoder(Protocol):
    """Images to vectors whose cosine says how alike they look (subject, background)."""

    def encode(self, images: Sequence[Image]) -> Vectors: ...


class TextEncoder(Protocol):
    """Sentences to vectors whose cosine says how alike they mean."""

    def encode(self, texts: Sequence[str]) -> Vectors: ...

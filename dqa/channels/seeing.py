"""Label probabilities of frames, as semantic and spatial both need them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dqa.clip.frame import Frame, Image
from dqa.models.embedded.classifier import LiteClassifier

Floats = NDArray[np.float32]

_TEMPERATURE = 0.7
"""EfficientNet-Lite's probabilities are flatter than its accuracy warrants (docs/design/topic-detector.md)."""

_BLANK = 4.0
"""Grey levels of standard deviation under which a frame shows nothing."""


def even_choice(frames: Sequence[Frame], most: int) -> list[Frame]:
    """At most ``most`` of the frames that show anything, even in time."""
    seen = [f for f in frames if float(f.image[::4, ::4].mean(axis=2).std()) >= _BLANK]
    if len(seen) <= most:
        return seen
    return [seen[round(i)] for i in np.linspace(0, len(seen) - 1, most)]


def label_probabilities(classifiers: Sequence[LiteClassifier], images: Sequence[Image]) -> Floats:
    """n x 1000: mean over the whole image and its central square, of the classifiers' averaged logits."""
    whole = _softmax(_logits(classifiers, images))
    return ((whole + _softmax(_logits(classifiers, [_square(i) for i in images]))) / 2).astype(np.float32)


def _logits(classifiers: Sequence[LiteClassifier], images: Sequence[Image]) -> Floats:
    return np.mean([c.logits(images) for c in classifiers], axis=0)


def _softmax(logits: Floats) -> Floats:
    weights = np.exp((logits - logits.max(axis=1, keepdims=True)) / _TEMPERATURE)
    return weights / weights.sum(axis=1, keepdims=True)


def _square(image: Image) -> Image:
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]

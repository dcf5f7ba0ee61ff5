"""What the channels ask of a model, whatever family fills the role."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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


@dataclass(frozen=True, slots=True)
class YesNo:
    """A model's answer to a yes/no question.

    Attributes:
        log_odds: ``log P(yes) - log P(no)``: kept as such, since the probability of a sure model saturates.
        soft: whether it was read from token probabilities; else from a stated word, and then only its sign is known.
    """

    log_odds: float
    soft: bool

    @property
    def p_yes(self) -> float:
        """P(yes) between yes and no, in [0, 1]."""
        return 0.5 * (1 + math.tanh(self.log_odds / 2))


@dataclass(frozen=True, slots=True)
class Grounded:
    """Where in a picture things are, n things on a raster of h x w that spans it.

    Attributes:
        heat: n x h x w float32 in [0, 1]: how likely a cell shows the thing.
        masks: n x h x w: which cells are taken to show the thing; none where it is not in the picture.
    """

    heat: NDArray[np.float32]
    masks: NDArray[np.bool_]


class Grounder(Protocol):
    """Looks for things by their words, whichever they are (ProxyCLIP; SAM 3 could fill this role)."""

    def ground(self, image: Image, things: Sequence[Sequence[str]], size: tuple[int, int] | None = None) -> Grounded:
        """Looks for each thing.

        Args:
            image: any size.
            things: each by one name or several that mean the same ("sofa", "couch").
            size: h, w of the raster; the image's own when it is None.
        """
        ...


class VisionLanguageModel(Protocol):
    """Looks at images and answers in words. The same images, question and model give the same answer."""

    def ask(self, images: Sequence[Image], questions: Sequence[str]) -> list[YesNo | None]:
        """Yes or no to each question on its own, in their order; None where the model said neither."""
        ...

    def write(self, images: Sequence[Image], instruction: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
        """A JSON object by a JSON schema; None where the model did not give one."""
        ...

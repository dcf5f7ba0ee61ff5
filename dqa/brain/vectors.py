"""Embeddings from the packaged sentence model, in the width that hosts expect.

Letta knows one embedding model behind an OpenAI-compatible address, with 1536 numbers a text. MiniLM gives 384; the
rest is filled with zeros, which changes no cosine and no distance.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from dqa.models.roles import TextEncoder

WIDTH = 1536
_COMPONENT = "minilm"


class Embedder:
    """Loads the model on first use; several threads may ask.

    Args:
        load: gives the encoder.
    """

    def __init__(self, load: Callable[[], TextEncoder]) -> None:
        self._load = load
        self._encoder: TextEncoder | None = None
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str], width: int = WIDTH) -> NDArray[np.float32]:
        """n x ``width``, L2-normalised; a width under the model's own cuts, and is normalised anew.

        Raises:
            ModelUnavailable: the sentence model is not installed.
        """
        with self._lock:
            if self._encoder is None:
                self._encoder = self._load()
            rows = self._encoder.encode(list(texts))
        wide = np.zeros((len(texts), width), dtype=np.float32)
        kept = min(width, rows.shape[1])
        wide[:, :kept] = rows[:, :kept]
        return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)


def packaged(home: Path) -> Callable[[], TextEncoder]:
    """Gives the sentence model of the profile ``embedded``."""

    def load() -> TextEncoder:
        import torch

        from dqa.models.pool import ModelPool
        from dqa.models.profiles import load_profile

        torch.set_num_threads(1)
        return cast(TextEncoder, ModelPool(load_profile("embedded"), home).get(_COMPONENT))

    return load

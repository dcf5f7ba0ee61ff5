"""all-MiniLM-L6-v2: sentences to vectors, in torch alone.

The six BERT layers (Devlin 2019; post-norm, exact GELU) are written out here because importing transformers' takes
3.4 CPU seconds and 150 MB at every cold start; a test holds the two together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from dqa.errors import ModelUnavailable
from dqa.models.embedded.weights import own
from dqa.models.pool import check_hash
from dqa.models.profiles import Component
from dqa.models.roles import Vectors

MAX_TOKENS = 256
"""What the model was published with (``sentence_bert_config.json``); a longer text is cut there."""

_REMEMBERED = 512
_LAYERS, _HEADS, _EPSILON = 6, 12, 1e-12
_TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"


class MiniLM:
    """The sentence encoder. Texts go through one by one, so a row never depends on its neighbours.

    Args:
        weights: the published state dict.
        tokenizer: the published tokenizer; its padding and cut are replaced by this model's.
    """

    def __init__(self, weights: dict[str, Tensor], tokenizer: Tokenizer) -> None:
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        self._weights = weights
        self._tokenizer = tokenizer
        # Channels ask for the same prompt and the same things in it, clip after clip.
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._vector)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """n x 384, L2-normalised: mean of the last layer over all tokens (Reimers & Gurevych 2019)."""
        rows = [self._remembered(text) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(rows), 384)

    @torch.inference_mode()
    def _vector(self, text: str) -> Vectors:
        w, ids = self._weights, self._tokenizer.encode(text).ids
        x = w["embeddings.word_embeddings.weight"][torch.tensor(ids)]
        x = x + w["embeddings.position_embeddings.weight"][: len(ids)] + w["embeddings.token_type_embeddings.weight"][0]
        x = self._norm(x, "embeddings.LayerNorm")
        for i in range(_LAYERS):
            x = self._layer(x, f"encoder.layer.{i}.")
        return functional.normalize(x.mean(dim=0), dim=0).numpy()

    def _layer(self, x: Tensor, name: str) -> Tensor:
        attended = self._linear(self._attend(x, f"{name}attention.self."), f"{name}attention.output.dense")
        x = self._norm(x + attended, f"{name}attention.output.LayerNorm")
        inner = functional.gelu(self._linear(x, f"{name}intermediate.dense"))
        return self._norm(x + self._linear(inner, f"{name}output.dense"), f"{name}output.LayerNorm")

    def _attend(self, x: Tensor, name: str) -> Tensor:
        q, k, v = (
            self._linear(x, name + part).view(len(x), _HEADS, -1).transpose(0, 1) for part in ("query", "key", "value")
        )
        mixed = torch.softmax(q @ k.transpose(1, 2) / q.shape[-1] ** 0.5, dim=-1) @ v
        return mixed.transpose(0, 1).reshape(x.shape)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return functional.layer_norm(
            x, x.shape[-1:], self._weights[f"{name}.weight"], self._weights[f"{name}.bias"], _EPSILON
        )


def load(component: Component, weights_path: Path, home: Path) -> MiniLM:
    """Loads the packaged model.

    Raises:
        ModelUnavailable: weights or tokenizer are not the ones the profile names.
    """
    check_hash(component, weights_path)
    tokenizer = weights_path.with_name("tokenizer.json")
    try:
        text = tokenizer.read_bytes()
        if hashlib.sha256(text).hexdigest() != _TOKENIZER_SHA256:
            raise ModelUnavailable(f"the tokenizer of {component.id} was altered", fix="reinstall the package")
        return MiniLM(own(load_file(weights_path)), Tokenizer.from_str(text.decode("utf-8")))
    except (OSError, SafetensorError) as error:
        raise ModelUnavailable(f"{component.id} can't be read ({error})", fix="reinstall the package") from None

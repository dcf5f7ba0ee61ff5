"""Models that say of a picture and a phrase whether they belong together: SigLIP, SigLIP 2 and CLIP by transformers.

SigLIP was trained to give a probability for every pair on its own, ``sigmoid(scale * cosine + bias)`` (Zhai et al.,
ICCV 2023, section 3.2; scale and bias are learned). CLIP was trained to choose among phrases and has no bias: here its
odds are those of a phrase against fixed phrases on other matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from dqa.clip.frame import Image
from dqa.errors import ModelUnavailable
from dqa.models.checkpoint import FIX, KEPT, load_model, load_tokenizer, read_config
from dqa.models.profiles import Component
from dqa.models.snapshot import identity
from dqa.record import ModelIdentity

Floats = NDArray[np.float64]

_CLASSES = {"siglip": "SiglipModel", "siglip2": "Siglip2Model", "clip": "CLIPModel"}
_REMEMBERED = 512

OTHER_MATTERS = (
    "a photo.", "a video frame.", "a photo of a person.", "a photo of an animal.", "a photo of a landscape.",
    "a photo of a street.", "a photo of a room.", "a photo of food.", "a photo of a plant.", "a photo of a vehicle.",
    "a photo of the sky.", "a photo of water.", "a photo of a building.", "a drawing.", "a pattern.", "a text.",
)  # fmt: skip
"""What CLIP's odds are against: things at large, none of them in particular."""


class ContrastiveModel:
    """An image tower and a text tower with a space in common.

    Args:
        model: transformers' ``SiglipModel``, ``Siglip2Model`` or ``CLIPModel`` in evaluation mode.
        tokenizer: its tokenizer.
        processor: its image processor.
        identity: how a record names it, where that says more than the profile.
    """

    def __init__(self, model: Any, tokenizer: Any, processor: Any, identity: ModelIdentity | None = None) -> None:
        self.identity = identity
        self.model = model
        self.tokenizer = tokenizer
        self.processor = processor
        self.kind: str = model.config.model_type
        self.pairwise = self.kind != "clip"
        self._longest = int(model.config.text_config.max_position_embeddings)
        # One phrase and one picture at a time, so that nothing depends on what else is asked.
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._phrase)

    def reads(self, text: str) -> bool:
        """Whether the text tower sees all of a text: 64 tokens of SigLIP's, 77 of CLIP's."""
        return len(self.tokenizer(text.lower())["input_ids"]) <= self._longest

    def logits(self, images: Sequence[Image], phrases: Sequence[str]) -> Floats:
        """m x n: for every image and phrase ``scale * cosine + bias``, transformers' ``logits_per_image``."""
        seen = torch.cat([self._image(image) for image in images])
        said = torch.stack([self._remembered(phrase) for phrase in phrases])
        scale = float(self.model.logit_scale.double().exp())
        bias = float(self.model.logit_bias.double()) if self.pairwise else 0.0
        return (scale * (seen @ said.T) + bias).numpy()

    def log_odds(self, images: Sequence[Image], phrases: Sequence[str]) -> Floats:
        """m x n: log P - log (1 - P) that the image shows the phrase; of CLIP against :data:`OTHER_MATTERS`."""
        if self.pairwise:
            return self.logits(images, phrases)
        found = self.logits(images, [*phrases, *OTHER_MATTERS])
        n = len(phrases)
        return found[:, :n] - np.logaddexp.reduce(found[:, n:], axis=1, keepdims=True)

    @torch.inference_mode()
    def _phrase(self, text: str) -> Tensor:
        asked = {"padding": "max_length", "truncation": True, "max_length": self._longest, "return_tensors": "pt"}
        tokens = self.tokenizer(text.lower(), **asked)  # SigLIP was trained on small letters, and CLIP makes them so
        given = {"input_ids": tokens["input_ids"].to(self.model.device)}
        if not self.pairwise:  # SigLIP was trained to look at the padding too
            given["attention_mask"] = tokens["attention_mask"].to(self.model.device)
        return self._unit(self.model.get_text_features(**given))[0]

    @torch.inference_mode()
    def _image(self, image: Image) -> Tensor:
        from PIL import Image as Pictures

        found = self.processor(images=[Pictures.fromarray(image)], return_tensors="pt")
        given = {name: value.to(self.model.device) for name, value in found.items()}
        given["pixel_values"] = given["pixel_values"].to(self.model.dtype)
        return self._unit(self.model.get_image_features(**given))

    def _unit(self, found: Any) -> Tensor:
        return functional.normalize(found.pooler_output.double(), dim=-1).cpu()


def load(component: Component, folder: Path, device: str) -> ContrastiveModel:
    """Loads the two towers, the tokenizer and the image processor.

    Raises:
        ModelUnavailable: the folder holds no complete model of a kind named above.
    """
    import transformers

    config = read_config(component, folder, _CLASSES, "a model of images and text that is known here")
    model = load_model(component, getattr(transformers, _CLASSES[config.model_type]), folder, device)
    try:
        processor: Any = transformers.AutoImageProcessor.from_pretrained(str(folder), backend="pil", **KEPT)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        why = f"{component.id} has no usable preprocessor_config.json"
        raise ModelUnavailable(why, fix=FIX, where=str(folder)) from error
    return ContrastiveModel(model, load_tokenizer(component, folder), processor, identity(component, folder))

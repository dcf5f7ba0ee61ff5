"""CLIP's image tower with its projection: what a picture shows, in the space of CLIP's words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from dqa.clip.frame import Image
from dqa.models.checkpoint import load_model, read_config
from dqa.models.profiles import Component
from dqa.models.snapshot import identity
from dqa.models.vision.pixels import CLIP_MEAN, CLIP_STD, middle, normalised, pixels, scaled, shorter
from dqa.models.vision.tower import ImageTower


class ClipTower(ImageTower):
    """The projected class token (Radford et al., ICML 2021; VBench's background_consistency and aesthetic_quality).

    Which activation it has (OpenAI's weights: QuickGELU) is in the model's configuration.
    """

    def parts(self) -> Iterable[nn.Module]:
        """Patches, blocks, projection."""
        seen = self.model.vision_model
        return seen.embeddings, *seen.encoder.layers, self.model.visual_projection

    def prepare(self, images: Sequence[Image], antialias: bool) -> Tensor:
        """The shorter side scaled to the model's, bicubic, and the central square of that (vbench/utils.py)."""
        side = int(self.model.config.image_size)
        height, width = images[0].shape[:2]
        picture = scaled(pixels(images), shorter(height, width, side), "bicubic", antialias)
        return normalised(middle(picture, side), CLIP_MEAN, CLIP_STD)

    def features(self, prepared: Tensor) -> Tensor:
        """The projected vectors, n x d, not yet normalised."""
        return self.model(pixel_values=prepared.to(self.model.device, self.model.dtype)).image_embeds

    @property
    def width(self) -> int:
        """Length of the projected vectors."""
        return int(self.model.config.projection_dim)


def load(component: Component, folder: Path, device: str) -> ClipTower:
    """Loads the image side of a CLIP checkpoint (``openai/clip-vit-base-patch32``); the text side is left where it is.

    Raises:
        ModelUnavailable: the folder holds no complete image tower.
    """
    import transformers

    # A whole CLIP's text side is left out on purpose, and need not be reported.
    ignored = {"_keys_to_ignore_on_load_unexpected": [r"^text_", r"^logit_scale$", r"position_ids$"]}
    kind = type("ImageSide", (transformers.CLIPVisionModelWithProjection,), ignored)
    model = load_model(component, kind, folder, device, {"config": _config(component, folder)})
    tower = ClipTower(model, identity(component, folder))
    tower.stream(folder)
    return tower


def _config(component: Component, folder: Path) -> Any:
    """The image side's; where it does not say how long its vectors are, the whole CLIP's does."""
    config = read_config(component, folder, ("clip", "clip_vision_model"), "a CLIP")
    if config.model_type == "clip_vision_model":
        return config
    config.vision_config.projection_dim = config.projection_dim
    return config.vision_config

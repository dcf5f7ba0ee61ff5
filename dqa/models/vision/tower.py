"""What image towers share: pictures in, unit vectors out, each image by itself on a CPU."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dqa.clip.frame import Image
from dqa.models.residency.copies import Copies
from dqa.models.roles import Vectors
from dqa.models.vision.streamed import stream
from dqa.record import ModelIdentity


class ImageTower(ABC):
    """Fills the role :class:`dqa.models.roles.ImageEncoder`.

    Args:
        model: one of transformers' models in evaluation mode.
        identity: how a record names it, where that says more than the profile.

    Attributes:
        batch: images of one size that go through together on a GPU, or block by block on a CPU.
        full_batch: that while there is memory.
    """

    full_batch = 16

    def __init__(self, model: Any, identity: ModelIdentity | None = None) -> None:
        self.model = model
        self.identity = identity
        self.batch = self.full_batch
        self.copies = Copies(model)
        self._streamed = False

    def stream(self, folder: Path) -> None:
        """On a CPU, has each block's weights in memory only while it works (:mod:`dqa.models.vision.streamed`).

        Args:
            folder: where the model was loaded from.
        """
        if self.model.device.type == "cpu":
            self._streamed = stream(self.model, self.parts(), folder)

    def to(self, device: str) -> None:
        """Moves the weights."""
        self.copies.to(device)

    def smaller_batch(self) -> bool:
        """Half as many images at once from now on; False where they go one by one already."""
        if self.batch == 1 or self.model.device.type == "cpu":
            return False
        self.batch //= 2
        return True

    @abstractmethod
    def parts(self) -> Iterable[nn.Module]:
        """The modules with most of the weights and every product over them; each maps n rows to n rows."""

    @abstractmethod
    def prepare(self, images: Sequence[Image], antialias: bool) -> Tensor:
        """n images of one size as the model wants them."""

    @abstractmethod
    def features(self, prepared: Tensor) -> Tensor:
        """n x d of what :meth:`prepare` gave, on the model's device."""

    def encode(self, images: Sequence[Image]) -> Vectors:
        """n x d float32, one L2-normalised row per image of any size; scaled without aliasing."""
        return self.vectors(images, antialias=True).numpy()

    @torch.inference_mode()
    def vectors(self, images: Sequence[Image], *, antialias: bool) -> Tensor:
        """As :meth:`encode`, as a tensor; without ``antialias`` from the very pixels that VBench's models see.

        On a CPU each image goes through every block by itself: nothing is gained by more, and a row's last bit then
        depends on its image alone. On a GPU 16 of one size go together.
        """
        if not images:
            return torch.empty(0, self.width)
        rows = [self.features(self._prepared(some, antialias)).float().cpu() for some in self._batches(images)]
        return functional.normalize(torch.cat(rows), dim=-1, p=2)

    @property
    @abstractmethod
    def width(self) -> int:
        """d, the length of a vector."""

    def _prepared(self, images: Sequence[Image], antialias: bool) -> Tensor:
        """One by one: frames of full size in float32 are larger than what becomes of them."""
        return torch.cat([self.prepare([image], antialias) for image in images])

    def _batches(self, images: Sequence[Image]) -> Iterator[list[Image]]:
        alone = self.model.device.type == "cpu" and not self._streamed
        most = 1 if alone else self.batch
        batch: list[Image] = []
        for image in images:
            if batch and (len(batch) == most or image.shape != batch[0].shape):
                yield batch
                batch = []
            batch.append(image)
        yield batch

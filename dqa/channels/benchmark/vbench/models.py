"""The models of the vbench backend, each asked for when a dimension needs it; a missing one costs its dimensions."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from dqa.clip.frame import Image
from dqa.errors import ModelUnavailable
from dqa.models.pool import ModelPool
from dqa.models.roles import Vectors
from dqa.models.vision.aesthetic import AestheticHead
from dqa.models.vision.raft import FlowModel
from dqa.models.vision.tower import ImageTower

WANTED: dict[str, tuple[str, str]] = {
    "DINO": ("hf-dino", "facebook/dino-vitb16"),
    "CLIP B/32": ("hf-clip-image", "openai/clip-vit-base-patch32"),
    "CLIP L/14": ("hf-clip-image", "openai/clip-vit-large-patch14"),
    "aesthetic head": ("laion-aesthetic", "LAION's sa_0_4_vit_l_14_linear"),
    "RAFT": ("raft", "raft-things, or torchvision's raft_large"),
}
"""In the order of the backend's components: what each is, its loader, and which weights VBench uses."""


class Lent:
    """An image encoder that is asked for anew on every use.

    Args:
        lender: such as :meth:`Models.dino`.
    """

    def __init__(self, lender: Callable[[], AbstractContextManager[ImageTower]]) -> None:
        self._lender = lender

    def encode(self, images: Sequence[Image]) -> Vectors:
        """As :meth:`dqa.models.vision.tower.ImageTower.encode`."""
        with self._lender() as tower:
            return tower.encode(images)


class Models:
    """The profile's components by what they are.

    Args:
        pool: holds them.
        components: their ids in the order of :data:`WANTED`; those at the end may be left out.
        release: give each back to the pool after use, for machines that can't hold them together.
    """

    def __init__(self, pool: ModelPool, components: tuple[str, ...], release: bool = False) -> None:
        if len(components) > len(WANTED):
            raise ValueError(f"the backend vbench takes {len(WANTED)} components at most: {', '.join(WANTED)}")
        self._pool = pool
        self._ids = dict(zip(WANTED, components, strict=False))
        self._release = release

    @property
    def ids(self) -> tuple[str, ...]:
        """The components that the profile names."""
        return tuple(self._ids.values())

    def dino(self) -> AbstractContextManager[ImageTower]:
        """The encoder of subject consistency."""
        return self._lent("DINO")

    def clip_b32(self) -> AbstractContextManager[ImageTower]:
        """The encoder of background consistency."""
        return self._lent("CLIP B/32")

    def clip_l14(self) -> AbstractContextManager[ImageTower]:
        """The encoder under the aesthetic head."""
        return self._lent("CLIP L/14")

    def aesthetic_head(self) -> AbstractContextManager[AestheticHead]:
        """The aesthetic head."""
        return self._lent("aesthetic head")

    def raft(self) -> AbstractContextManager[FlowModel]:
        """Optical flow."""
        return self._lent("RAFT")

    @contextmanager
    def _lent(self, name: str) -> Generator[Any, None, None]:
        if name not in self._ids:
            loader, weights = WANTED[name]
            raise ModelUnavailable(
                f"the profile names no {name}", fix=f"add {weights} with loader {loader} to channels.benchmark"
            )
        try:
            yield self._pool.get(self._ids[name])
        finally:
            if self._release:
                self._pool.unload(self._ids[name])

"""The spatial channel by ProxyCLIP: CLIP's words, a DINO's sense of what belongs together."""

from __future__ import annotations

from typing import Any

from dqa.channels.spatial.grounded import FRAMES, GroundedSpatial
from dqa.models.pool import ModelPool
from dqa.models.proxyclip.grounder import Options, ProxyClip
from dqa.models.roles import Grounder
from dqa.record import ModelIdentity

WEAKNESS = (
    "shares every pixel out among the words it is given: a thing that is absent can be found in what resembles it; "
    "masks are coarse; no depth"
)


class ProxyClipSpatial(GroundedSpatial):
    """Grounding by ProxyCLIP.

    Args:
        pool: where the models come from; asked on first use.
        components: ids of CLIP (loader ``hf-clip``) and of the vision model (loader ``hf-vfm``).
        frames: how many frames, even in time, are looked at.
        options: those of :class:`~dqa.models.proxyclip.grounder.Options`, by name.
    """

    def __init__(self, *, pool: ModelPool, components: tuple[str, ...], frames: int = FRAMES, **options: Any) -> None:
        super().__init__(pool=pool, components=components, frames=frames)
        self._clip, self._vfm = components
        self._options = Options(**options)

    @property
    def model(self) -> ModelIdentity:
        """CLIP and the vision model as parts of one grounder."""
        parts = tuple(self.pool.identity(c) for c in self.components)
        licences = ", ".join(dict.fromkeys(part.licence for part in parts))
        return ModelIdentity(id="proxyclip", licence=licences, weakness=WEAKNESS, parts=parts)

    def grounder(self) -> Grounder:
        """ProxyCLIP over the pool's models."""
        return ProxyClip(self.pool.get(self._clip), self.pool.get(self._vfm), self._options)

"""Which pass over images is kept for the questions to come.

An evaluation asks about a whole clip in several channels, and about parts of it (single frames, windows of 2 s) in
between. The whole comes first and is kept until the next clip; a part is asked about once and is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import structlog

from dqa.clip.frame import Image
from dqa.models.exhausted import ran_out

if TYPE_CHECKING:
    from dqa.models.vlm.local_prefix import Prefix

log = structlog.get_logger(__name__)

GB = 2**30


class Kept:
    """At most one pass; a second is on the device only while a part of the clip is asked about."""

    def __init__(self) -> None:
        self._clip: str | None = None
        self._whole: str | None = None
        self._held: tuple[str, int, Prefix] | None = None

    def about(self, clip: str | None) -> None:
        """Which clip is asked about from now on, None for none in particular; another one's pass goes."""
        if clip != self._clip:
            self.drop()
            self._clip = clip

    def drop(self) -> None:
        """Frees what is kept; of the clip, what is asked about next counts as the whole."""
        self._whole = self._held = None

    @property
    def gb(self) -> float:
        """What is kept takes, in gigabytes."""
        return 0.0 if self._held is None else self._held[2].nbytes / GB

    def of(self, images: Sequence[Image], compute: Callable[[], Prefix]) -> Prefix:
        """The pass over ``images``: the kept one where it is theirs, else what ``compute`` makes."""
        key = _key(images)
        if self._held is not None and self._held[0] == key:
            return self._held[2]
        keeps = self._to_keep(key, len(images))
        if keeps:
            self._held = None  # before the next is computed: the device need not hold both
        made = self._beside(compute)
        if keeps:
            self._held = (key, len(images), made)
            self._whole = key
        return made

    def _to_keep(self, key: str, images: int) -> bool:
        if self._clip is not None:
            return self._whole in (None, key)
        # Of no clip in particular: what was asked about last, but that single frames of several drive those not out.
        return self._held is None or images > 1 or self._held[1] <= 1

    def _beside(self, compute: Callable[[], Prefix]) -> Prefix:
        """Computes beside what is kept; where there is no room for both, what is kept goes."""
        if self._held is None:
            return compute()
        try:
            return compute()
        except Exception as error:
            if not ran_out(error):
                raise
            log.info("the clip's pass gives way to a part's", gb=self.gb, error=str(error)[:200])
        # Outside of the handler: the traceback holds the tensors that should go.
        self._held = None
        return compute()


def _key(images: Sequence[Image]) -> str:
    whole = hashlib.sha256()
    for image in images:
        whole.update(f"{image.shape}".encode())
        whole.update(image.tobytes())
    return whole.hexdigest()

"""What people and other tools call a clip, as the evaluation that is meant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import PurePath

from dqa.errors import RecordNotFound
from dqa.store.store import Store
from dqa.store.summaries import Wanted

LOOKED_BACK = 500
"""Evaluations that a name is looked up in, newest first."""


class Names:
    """Looks up clips by evaluation id, or by the media that was judged: its path, file name, stem or SHA-256.

    Of several evaluations of one clip the newest is meant, and the user's own before anybody else's.

    Args:
        store: where the evaluations are.
        user: who speaks.
        looked_back: how many of the newest evaluations a media name is looked up in.
    """

    def __init__(self, store: Store, user: str, looked_back: int = LOOKED_BACK) -> None:
        self._store = store
        self._user = user
        self._looked_back = looked_back

    def find(self, name: str) -> str:
        """The evaluation's id; raises ``RecordNotFound``."""
        try:
            self._store.media_hash(name)
        except RecordNotFound:
            known = self.by_media(name)
            if known is None:
                what = "there is no evaluation with that id, nor a lately evaluated clip of that name"
                raise RecordNotFound(what, fix="evaluate the clip first, or give its record") from None
            return known
        return name

    def by_media(self, name: str) -> str | None:
        """The evaluation of the media with that name; None if there is none, and for an evaluation's id."""
        return None if name.startswith("ev_") else self._known.get(name)

    @cached_property
    def _known(self) -> dict[str, str]:
        known: dict[str, str] = {}
        for wanted in (Wanted(user=self._user), Wanted()):
            for text in self._store.list_records_json(self._looked_back, wanted):
                record = json.loads(text)
                for name in _names(str(record["reproduce"]["media"]), str(record["media"]["sha256"])):
                    known.setdefault(name, record["id"])
        return known


def _names(media: str, sha256: str) -> Iterator[str]:
    path = PurePath(media)
    yield from (media, path.name, path.stem, sha256)

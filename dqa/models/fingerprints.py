"""What a model's folder looked like from outside when its fingerprint was taken, for a process that is told of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from dqa.models.snapshot import fingerprint


class Known(BaseModel):
    """A fingerprint, and what the files looked like from outside when it was taken.

    Attributes:
        stamp: see :func:`stamp`.
        sha256: see :func:`dqa.models.snapshot.fingerprint`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stamp: str
    sha256: str


def stamp(folder: Path) -> str:
    """Names, sizes and times of change of a folder's files, as one hash; reads none of them."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    looks = [(path.name, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for path in files for s in [path.stat()]]
    return hashlib.sha256(json.dumps(looks).encode()).hexdigest()


def known(folder: Path, home: Path | None = None, told: Known | None = None) -> Known:
    """The fingerprint of a model's folder; its large files are read only where they are not as they were.

    Args:
        folder: of the model.
        home: the state folder, where hashes are kept (:mod:`dqa.models.digests`); None: this process remembers alone.
        told: what another process found; believed while the folder looks the same.

    Raises:
        OSError: a file can't be read.
    """
    now = stamp(folder)
    if told is not None and told.stamp == now:
        return told
    return Known(stamp=now, sha256=fingerprint(folder, home))

"""Fingerprints of models' folders that were taken before, so that gigabytes are read once and not at every use.

A folder whose files have the names, sizes and times of change that they had is taken for what it was, as pulled models
are (:mod:`dqa.models.hub.lock`): in this process, and in ``$DQA_HOME/fingerprints.json`` for later ones.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

KEPT = "fingerprints.json"

_SETTLED_NS = 10**9
"""A file this young may change again without its times telling."""


class Known(BaseModel):
    """A fingerprint, and what the files looked like from outside when it was taken.

    Attributes:
        stamp: see :func:`stamp`.
        sha256: see :func:`dqa.models.snapshot.fingerprint`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stamp: str
    sha256: str


class _Kept(BaseModel):
    """The whole file: by folder."""

    model_config = ConfigDict(extra="forbid")

    schema_: str = Field("dqa.fingerprints/1", alias="schema")
    models: dict[str, Known] = Field(default_factory=dict[str, Known])


_here: dict[str, Known] = {}


def stamp(folder: Path) -> str:
    """Names, sizes and times of change of a folder's files, as one hash; reads none of them."""
    return hashlib.sha256(json.dumps(_looks(folder)).encode()).hexdigest()


def known(folder: Path, home: Path | None = None, told: Known | None = None) -> Known:
    """The fingerprint of a model's folder; its files are read only where they are not as they were.

    Args:
        folder: of the model.
        home: the state folder, to remember for later processes; None for this one alone.
        told: what another process found.

    Raises:
        OSError: a file can't be read.
    """
    from dqa.models.snapshot import fingerprint

    place, now = str(folder.absolute()), stamp(folder)
    for before in (told, _here.get(place), _read(home).models.get(place)):
        if before is not None and before.stamp == now:
            return before
    newest = max((mtime for _, _, mtime, _ in _looks(folder)), default=0)
    settled = time.time_ns() - newest > _SETTLED_NS
    found = Known(stamp=now, sha256=fingerprint(folder))
    if settled and stamp(folder) == now:
        _here[place] = found
        _keep(home, place, found)
    return found


def _looks(folder: Path) -> list[tuple[str, int, int, int]]:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return [(path.name, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for path in files for s in [path.stat()]]


def _read(home: Path | None) -> _Kept:
    """What is kept; nothing where the file is missing or damaged: then models are read again."""
    if home is not None:
        with contextlib.suppress(OSError, ValidationError):
            return _Kept.model_validate_json((home / KEPT).read_bytes())
    return _Kept.model_validate({})


def _keep(home: Path | None, place: str, found: Known) -> None:
    if home is None:
        return
    kept = _read(home)
    kept.models[place] = found
    part = home / f"{KEPT}.{os.getpid()}.part"
    with contextlib.suppress(OSError):  # what can't be kept is taken again
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        part.write_text(kept.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")
        part.replace(home / KEPT)

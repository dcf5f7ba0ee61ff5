"""The clip behind a verdict, as far as it may be shown: uploads and files under the roots, if unchanged since."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dqa.clip.guard import open_regular, resolve_media
from dqa.errors import MediaNotFound
from dqa.service import answers
from dqa.service.context import Service


@dataclass(frozen=True, slots=True)
class FoundMedia:
    """A clip's file; ``path`` is real and absolute, ``sha256`` that of its content now and when it was judged."""

    path: Path
    sha256: str


def find_media(service: Service, evaluation_id: str) -> FoundMedia:
    """The file that an evaluation judged.

    A path that was judged from the command line is not therefore open to whoever may talk to the service.

    Raises:
        RecordNotFound: there is no such record.
        MediaNotFound: the file is gone, or holds something else by now (a renderer overwrites its last clip).
        MediaRefused: it lies outside the folders that the service may read.
    """
    answers.check_id(evaluation_id)
    sha256 = service.store.media_hash(evaluation_id)
    path = service.store.find_media(sha256)
    if path is None:
        raise MediaNotFound("the clip is no longer where it was judged", fix="put it back, or upload it again")
    real = resolve_media(path, [service.store.media.folder, *service.settings.roots])
    if _hash_now(real) != sha256:
        raise MediaNotFound("the file was changed since it was judged", fix="evaluate it again")
    return FoundMedia(real, sha256)


def _hash_now(path: Path) -> str:
    descriptor = open_regular(path)
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return _hash(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _hash(path: Path, *_identity: int) -> str:
    """SHA-256 of a file, in hex; read once for as long as the file system says that it is the same file."""
    with os.fdopen(open_regular(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Checkpoints that can be trusted: each is listed with its hashes once it is whole; only such a one is gone on with.

Transformers would take the newest folder, and fail on a truncated one. A process that was killed while it wrote leaves
a folder without a list, or one whose files don't match it; the one before is then the newest.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

_LIST = "dqa-files.json"


def seal(checkpoint: Path) -> None:
    """Writes the list of a checkpoint's files with their hashes, as the last thing, in one step."""
    files = {path.name: _sha256(path) for path in sorted(checkpoint.iterdir()) if path.name != _LIST}
    write_atomically(checkpoint / _LIST, json.dumps(files).encode())


def newest_whole(folder: Path) -> Path | None:
    """The newest checkpoint (``checkpoint-<step>``) that is as it was sealed; None without one."""
    found = [path for path in folder.glob("checkpoint-*") if path.name.rpartition("-")[2].isdecimal()]
    ordered = sorted(found, key=lambda path: -int(path.name.rpartition("-")[2]))
    return next((path for path in ordered if _is_whole(path)), None)


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that whoever reads it finds all of it or the one before, also after a power cut."""
    partial = path.with_name(f".{path.name}.part")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the folder's entries last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_whole(checkpoint: Path) -> bool:
    try:
        listed: dict[str, str] = json.loads((checkpoint / _LIST).read_bytes())
        return bool(listed) and all(_sha256(checkpoint / name) == digest for name, digest in listed.items())
    except (OSError, ValueError, AttributeError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

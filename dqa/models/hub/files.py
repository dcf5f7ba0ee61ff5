"""Files on this machine against what is known of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from dqa.models.profiles import FilePin

Tell = Callable[[str, float], None]
"""Told of a file by name and the share of it that is done, 0 to 1."""

_BLOCK = 1 << 22


def nothing(name: str, share: float) -> None:
    """Tells nobody."""
    del name, share


def digest(path: Path, tell: Tell = nothing) -> str:
    """SHA-256 of a file of any size, telling how far it is.

    Raises:
        OSError: it can't be read.
    """
    found = hashlib.sha256()
    size, done = max(1, path.stat().st_size), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
            done += len(block)
            tell(path.name, min(1.0, done / size))
    return found.hexdigest()


def git_blob(path: Path) -> str:
    """The id that git, and the hub for its small files, gives a file: SHA-1 of a header and its bytes."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def lacking(folder: Path, files: Mapping[str, FilePin]) -> str | None:
    """What is plainly wrong without reading a byte, as a clause; None if all files are there in their size."""
    for name, pin in sorted(files.items()):
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if (size := path.stat().st_size) != pin.size:
            return f"{name} has {size} bytes instead of {pin.size}"
    return None


def altered(folder: Path, files: Mapping[str, FilePin], tell: Tell = nothing, *, again: bool = True) -> str | None:
    """Which file is not what it was, as a clause; None if all are.

    Args:
        again: take every hash; else only of files whose time of change is not the one their hash was taken at.

    Raises:
        OSError: a file can't be read.
    """
    if (plain := lacking(folder, files)) is not None:
        return plain
    for name, pin in sorted(files.items()):
        path = folder / name
        if not again and pin.mtime_ns is not None and path.stat().st_mtime_ns == pin.mtime_ns:
            continue
        if digest(path, tell) != pin.sha256:
            return f"{name} is not the file that was pulled (its SHA-256 differs)"
    return None


def seen(folder: Path, files: Mapping[str, FilePin]) -> dict[str, FilePin]:
    """The same pins with the files' present times of change."""
    return {
        name: pin.model_copy(update={"mtime_ns": (folder / name).stat().st_mtime_ns}) for name, pin in files.items()
    }

"""Fetching a hub model once, checked byte for byte, and writing down what it was."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dqa.errors import ModelUnavailable
from dqa.models.hub import client, lock, resume
from dqa.models.hub.choice import WEIGHTS, chosen, pickles
from dqa.models.hub.client import RemoteFile
from dqa.models.hub.files import Tell, digest, git_blob, nothing
from dqa.models.profiles import Component, FilePin

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Order:
    """What pulling one component takes.

    Attributes:
        commit: the revision of the hub that is fetched, and no other.
        files: of it, those that are fetched.
        missing: bytes that the cache does not have.
        known: the hashes that the profile or an earlier pull names; files are refused that have others.
        licence: the tag on the hub's model card.
    """

    component: Component
    commit: str
    files: tuple[RemoteFile, ...]
    missing: int
    known: dict[str, str]
    licence: str | None

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def order(component: Component, home: Path) -> Order:
    """Asks the hub what there is to fetch; fetches nothing.

    Raises:
        ModelUnavailable: it can't be had (see :func:`dqa.models.hub.client.listing`), has no safetensors, or is not
            what the profile or an earlier pull names.
    """
    hub, locked = str(component.hub), lock.find(component, home)
    wanted = locked.revision if locked is not None else component.revision
    found = client.listing(hub, wanted)
    if wanted and _COMMIT.fullmatch(wanted) and found.commit != wanted:
        raise _refused(component, f"the hub answers with revision {found.commit} where {wanted} was asked for")
    files = _selected(component, found.files)
    known = _known(component, locked)
    for file in files:
        if file.sha256 is not None and file.name in known and known[file.name] != file.sha256:
            raise _refused(component, f"the hub now has another {file.name} under the same revision")
    if gone := sorted(set(known) - {file.name for file in files}):
        raise _refused(component, f"the hub no longer has {gone[0]} under the same revision")
    missing = sum(_missing(hub, found.commit, file) for file in files)
    return Order(component, found.commit, files, missing, known, found.licence)


def check_space(orders: Iterable[Order]) -> None:
    """Refuses what the disk has no room for, before a byte is fetched.

    Raises:
        ModelUnavailable: saying how much is needed and where.
    """
    needed = sum({lock.key(each.component): each.missing for each in orders}.values())
    folder = client.cache_folder()
    there = next(path for path in (folder, *folder.parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise ModelUnavailable(
            f"{gigabytes(needed)} are to be fetched, and {gigabytes(free)} are free",
            fix="free some space, or set HF_HUB_CACHE to a folder that has it",
            where=str(there),
        )


def fetch(wanted: Order, home: Path, tell: Tell = nothing) -> lock.Locked:
    """Fetches what is missing, checks every file, and locks the commit and the hashes.

    Raises:
        ModelUnavailable: a file can't be had, or is not what the profile, an earlier pull or the hub itself says.
    """
    files = {file.name: _file(wanted, file, tell) for file in wanted.files}
    component = wanted.component
    locked = lock.Locked(
        hub=str(component.hub),
        asked=component.revision,
        revision=wanted.commit,
        pulled=datetime.now(UTC).isoformat(timespec="seconds"),
        licence=wanted.licence,
        files=files,
    )
    lock.write(home, component, locked)
    return locked


def gigabytes(size: int) -> str:
    """``1536000000`` -> ``1.54 GB``; small ones in MB."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _selected(component: Component, files: tuple[RemoteFile, ...]) -> tuple[RemoteFile, ...]:
    names = {file.name for file in files}
    taken = set(chosen(names))
    if not any(name.endswith(".safetensors") for name in taken):
        found = pickles(names)
        what = f"its weights are pickles ({found[0]}), which can carry code" if found else "it has no weights"
        raise ModelUnavailable(
            f"{component.id} is not in safetensors on the hub: {what}",
            fix="name a revision in the profile that has *.safetensors",
        )
    return tuple(file for file in sorted(files, key=lambda file: file.name) if file.name in taken)


def _known(component: Component, locked: lock.Locked | None) -> dict[str, str]:
    known = {name: pin.sha256 for name, pin in (locked.files if locked is not None else {}).items()}
    known |= {name: pin.sha256 for name, pin in component.files.items()}
    return known | ({WEIGHTS: component.sha256} if component.sha256 else {})


def _missing(hub: str, commit: str, file: RemoteFile) -> int:
    path = client.cached(hub, commit, file.name)
    if path is not None and path.stat().st_size == file.size:
        return 0
    return max(0, file.size - resume.begun(client.cache_folder(), hub, file.sha256 or file.blob))


def _file(wanted: Order, file: RemoteFile, tell: Tell) -> FilePin:
    """Fetches and checks one file. One that is there and whole is not fetched again; a damaged one is."""
    hub = str(wanted.component.hub)
    path = client.cached(hub, wanted.commit, file.name)
    found = digest(path, tell) if path is not None else None
    if path is None or _wrong(wanted, file, path, found):
        if path is not None:
            _forget(path)
        path = client.download(hub, wanted.commit, file.name, tell)
        found = digest(path)
        if said := _wrong(wanted, file, path, found):
            _forget(path)
            raise _refused(wanted.component, f"{file.name} is not the file that {said}")
    status = path.stat()
    return FilePin(sha256=str(found), size=status.st_size, mtime_ns=status.st_mtime_ns)


def _wrong(wanted: Order, file: RemoteFile, path: Path, found: str | None) -> str | None:
    """Who names another file than this; None if nobody does."""
    if file.name in wanted.known:
        return None if found == wanted.known[file.name] else "the profile or an earlier pull names"
    if file.sha256 is not None:
        return None if found == file.sha256 else "the hub states"
    if file.blob is not None and path.stat().st_size < 1 << 28:
        return None if git_blob(path) == file.blob else "the hub states"
    return None


def _forget(path: Path) -> None:
    """Takes a wrong file out of the cache: its link, and its blob where that is the cache's.

    Weights may be linked from elsewhere (a share, another cache): those are somebody else's, and stay.

    Raises:
        ModelUnavailable: the whole folder is linked from elsewhere, so that nothing in it is the cache's to delete.
    """
    repository = path.parents[2]
    if not path.parent.resolve().is_relative_to(repository.resolve()):
        raise ModelUnavailable(
            f"{path.name} is not the file it should be, and its folder is linked from outside of the hub's cache",
            fix="remove the link, so that it is fetched into the cache",
            where=str(path.parent),
        )
    blobs = (repository / "blobs").resolve()
    while True:
        target = path.parent / path.readlink() if path.is_symlink() else None
        path.unlink(missing_ok=True)
        if target is None or target.parent.resolve() != blobs:
            return
        path = target


def _refused(component: Component, what: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"{component.id} is refused: {what}",
        fix="find out why before you trust it: the profile and models.lock.json in the state folder say what it was",
    )

"""A user's adapters on disk: each published whole or not at all, kept in versions, loaded only as they were published.

``$DQA_HOME/adapters/<user key>/<profile>/`` holds a folder a version and the file ``CURRENT`` that names the one that
serves. A version is written into a temporary folder, made to last, renamed, and only then named: whoever loads while
somebody publishes, or after somebody was killed doing so, finds the old version or the new one.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from dqa.errors import ModelUnavailable, UnavailableError
from dqa.ids import new_id, user_key
from dqa.taste.heavy.checkpoints import sync_folder, write_atomically

WEIGHTS, CONFIG, METADATA, MANIFEST = "adapter_model.safetensors", "adapter_config.json", "dqa.json", "manifest.json"
_FILES = (WEIGHTS, CONFIG, METADATA)
_CURRENT = "CURRENT"
log = structlog.get_logger(__name__)

_VERSION = re.compile(r"ad_[0-9a-z]{26}")
_PARTIAL = ".partial-"
_FIX = "train again with dqa tuner train"


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    schema_: str
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class Adapter:
    """A published adapter whose files were found as they were written.

    Attributes:
        version: its name, ``ad_...``; later ones sort after earlier ones.
        folder: where it lies.
        metadata: what it was trained on and how it fared (:func:`dqa.taste.heavy.tier.metadata`).
    """

    version: str
    folder: Path
    metadata: dict[str, Any]


def user_folder(home: Path, user: str) -> Path:
    """Everything on disk that belongs to the user's adapters; deleting it deletes them."""
    return home / "adapters" / user_key(user)


class Shelf:
    """The adapters of one user and profile.

    Args:
        home: the state folder.
        user, profile: whose, and for which profile's scores.
        keep: how many versions stay; the serving one always does.
    """

    def __init__(self, home: Path, user: str, profile: str, keep: int = 5) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", profile):
            raise UnavailableError(f"profile {profile!r} has no place for adapters", fix="use one of dqa models list")
        self.folder = user_folder(home, user) / profile
        self._keep = keep

    def publish(self, weights: Path, config: Path, metadata: dict[str, JsonValue]) -> Adapter:
        """Makes an adapter the serving one.

        Args:
            weights: safetensors.
            config: PEFT's description of it, JSON.
            metadata: what to remember of its training.

        Raises:
            UnavailableError: the disk is full or can't be written; nothing is left of the attempt.
        """
        version = new_id("ad")
        partial = self.folder / f"{_PARTIAL}{version}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial.mkdir(mode=0o700)
            write_atomically(partial / WEIGHTS, weights.read_bytes())
            write_atomically(partial / CONFIG, config.read_bytes())
            write_atomically(partial / METADATA, json.dumps(metadata, sort_keys=True).encode())
            digests = {name: _sha256(partial / name) for name in _FILES}
            manifest = {"schema_": "dqa.adapter/1", "files": digests}
            write_atomically(partial / MANIFEST, json.dumps(manifest, sort_keys=True).encode())
            partial.rename(self.folder / version)
            sync_folder(self.folder)
            self._point(version)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise UnavailableError(
                f"the adapter can't be published ({error.strerror})", fix="free some space in the state folder"
            ) from error
        self._prune()
        return self.load(version)

    def current(self) -> Adapter | None:
        """The serving adapter; where it was damaged, the newest earlier one that was not; None without one."""
        named = self._named()
        found = self._newest_whole(named) if named is not None else None
        if (found is None or found.version != named) and self._named() != named:
            return self.current()  # somebody published meanwhile, and put away what was named before
        return found

    def load(self, version: str) -> Adapter:
        """That version, its files checked.

        Raises:
            ModelUnavailable: there is no such version, a file is missing, altered, or not safetensors or JSON.
        """
        folder = self.folder / version
        if not _VERSION.fullmatch(version) or not folder.is_dir():
            raise ModelUnavailable(f"there is no adapter {version}", fix=_FIX)
        try:
            manifest = _Manifest.model_validate_json((folder / MANIFEST).read_bytes())
            _check(folder, manifest)
            metadata: dict[str, Any] = json.loads((folder / METADATA).read_bytes())
        except (OSError, ValidationError, ValueError) as error:
            raise ModelUnavailable(f"adapter {version} is damaged", fix=_FIX, where=str(folder)) from error
        return Adapter(version, folder, metadata)

    def versions(self) -> list[str]:
        """All versions, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if _VERSION.fullmatch(path.name) and path.is_dir())

    def rollback(self, version: str) -> Adapter:
        """Makes an earlier (or later) version the serving one; raises ``ModelUnavailable`` unless it can be loaded."""
        adapter = self.load(version)
        self._point(version)
        return adapter

    def withdraw(self) -> None:
        """Lets no adapter serve; the versions stay."""
        (self.folder / _CURRENT).unlink(missing_ok=True)

    def _newest_whole(self, named: str) -> Adapter | None:
        for version in [v for v in reversed(self.versions()) if v <= named]:
            try:
                return self.load(version)
            except ModelUnavailable as error:
                log.warning("an adapter can't be loaded", adapter=version, error=error.sentence())
        return None

    def _point(self, version: str) -> None:
        write_atomically(self.folder / _CURRENT, version.encode())

    def _named(self) -> str | None:
        try:
            named = (self.folder / _CURRENT).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return named if _VERSION.fullmatch(named) else None

    def _prune(self) -> None:
        named = self._named()
        for version in self.versions()[: -self._keep]:
            if version != named:
                shutil.rmtree(self.folder / version, ignore_errors=True)


def sweep(home: Path) -> list[str]:
    """Removes what killed publishers left behind; call it while nobody trains. The names of what was removed."""
    root = home / "adapters"
    debris = [*root.glob(f"*/*/{_PARTIAL}*"), *root.glob("*/*/.*.part")]
    for path in debris:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return sorted(path.name for path in debris)


def _check(folder: Path, manifest: _Manifest) -> None:
    if set(manifest.files) != set(_FILES):
        raise ValueError("other files than an adapter has")
    for path in folder.iterdir():
        if path.is_symlink() or path.name not in {*_FILES, MANIFEST}:
            raise ModelUnavailable(f"the adapter holds {path.name}, which is no part of it", fix=_FIX)
    for name, digest in manifest.files.items():
        if _sha256(folder / name) != digest:
            raise ModelUnavailable(f"{name} of adapter {folder.name} was altered", fix=_FIX, where=str(folder))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

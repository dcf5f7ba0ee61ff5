"""Versions of a fit in the state folder: each a file that is never written again, and one word on which is in force.

``$DQA_HOME/fits/<profile>/<kind>/000N.json`` holds ``{"sha256": ..., "content": ...}``, the hash being that of the
content as canonical JSON. ``in-force`` holds the number that serves, 0 for none. Files are written whole or not at
all, and a number is taken once, however many fits run at a time.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from dqa.acceptance.content import Calibration, ChecklistWeights, Version
from dqa.errors import DQAError, UnavailableError, VersionNotFound
from dqa.record import FitUsed

Content = TypeVar("Content", bound=Version)

_MOST_BYTES = 4 * 2**20


class DamagedFit(VersionNotFound):
    """A version's file is there, and is not what was written."""

    type = "damaged-fit"
    title = "A damaged version"


@dataclass(frozen=True, slots=True)
class Kept(Generic[Content]):
    """A version as it lies in its file."""

    content: Content
    sha256: str

    @property
    def used(self) -> FitUsed:
        """How a record names it."""
        return FitUsed(version=self.content.version, sha256=self.sha256)


class Shelf(Generic[Content]):
    """The versions of one fit of one profile.

    Args:
        home: the state folder.
        profile: whose scores.
        kind: the folder's name.
        model: what a version holds.
    """

    def __init__(self, home: Path, profile: str, kind: str, model: type[Content]) -> None:
        self.folder = home / "fits" / profile / kind
        self.profile, self.kind = profile, kind
        self._model = model
        self._pointer = self.folder / "in-force"

    def add(self, content: Content) -> Kept[Content]:
        """Keeps a new version and puts it in force; its number is the next free one.

        Raises:
            UnavailableError: the state folder can't be written.
        """
        number = max(self.numbers(), default=0) + 1
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            while True:
                kept = _sealed(content.model_copy(update={"version": number}))
                data = {"sha256": kept.sha256, "content": _plain(kept.content)}
                if _write_new(self._file(number), json.dumps(data, allow_nan=False)):
                    break
                number += 1
            self._point(number)
        except OSError as error:
            raise self._unwritable(error) from None
        return kept

    def numbers(self) -> list[int]:
        """The versions whose files are there, oldest first."""
        try:
            names = [path.stem for path in self.folder.glob("*.json")]
        except OSError:
            return []
        return sorted(int(name) for name in names if name.isascii() and name.isdigit())

    def get(self, number: int) -> Kept[Content]:
        """One version.

        Raises:
            VersionNotFound: it is not there; :class:`DamagedFit` when its file is not what was written.
        """
        path = self._file(number)
        try:
            with path.open("rb") as file:
                raw = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            what = f"there is no version {number} of the {self.kind} for profile {self.profile}"
            raise VersionNotFound(what, fix=f"see dqa models fit-{self.kind} --list for those that are") from None
        except OSError as error:
            raise self._damaged(number, (error.strerror or str(error)).lower()) from None
        return self._read(number, raw)

    def number_in_force(self) -> int:
        """The version that serves; 0 for none.

        Raises:
            DamagedFit: the file that says so can't be read.
        """
        try:
            text = self._pointer.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return 0
        except (OSError, ValueError):
            text = ""
        if not text.isdigit():
            what = f"which {self.kind} of profile {self.profile} is in force can't be read"
            raise DamagedFit(what, fix=self._mend(), where=str(self._pointer))
        return int(text)

    def in_force(self) -> Kept[Content] | None:
        """The version that serves; None for none.

        Raises:
            VersionNotFound: it can't be read.
        """
        number = self.number_in_force()
        return self.get(number) if number else None

    def put_in_force(self, number: int) -> None:
        """Lets a version serve that is there and whole; 0 lets none serve.

        Raises:
            VersionNotFound: it is not there, or damaged.
            UnavailableError: the state folder can't be written.
        """
        if number:
            self.get(number)
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._point(number)
        except OSError as error:
            raise self._unwritable(error) from None

    def _read(self, number: int, raw: bytes) -> Kept[Content]:
        try:
            data = json.loads(raw)
            content = self._model.model_validate(data["content"])
            kept = _sealed(content)
        except (ValueError, ValidationError, KeyError, TypeError, RecursionError):
            raise self._damaged(number, "not a version as it was written") from None
        if kept.sha256 != data["sha256"] or content.version != number or content.profile != self.profile:
            raise self._damaged(number, "its content is not what its hash says")
        return kept

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:04d}.json"

    def _point(self, number: int) -> None:
        part = _part(self._pointer, f"{number}\n")
        part.replace(self._pointer)

    def _damaged(self, number: int, why: str) -> DamagedFit:
        what = f"version {number} of the {self.kind} for profile {self.profile} is damaged ({why})"
        return DamagedFit(what, fix=self._mend(), where=str(self._file(number)))

    def _mend(self) -> str:
        return f"put another in force with dqa models fit-{self.kind} --rollback N, or none with --reset"

    def _unwritable(self, error: OSError) -> UnavailableError:
        what = f"the {self.kind} can't be kept ({(error.strerror or str(error)).lower()})"
        return UnavailableError(what, fix="make the state folder writable", where=str(self.folder))


def calibrations(home: Path, profile: str) -> Shelf[Calibration]:
    """The calibrations of a profile."""
    return Shelf(home, profile, "calibration", Calibration)


def checklists(home: Path, profile: str) -> Shelf[ChecklistWeights]:
    """The fitted checklist weights of a profile."""
    return Shelf(home, profile, "checklist", ChecklistWeights)


def serving(shelf: Shelf[Content]) -> tuple[Kept[Content] | None, str]:
    """What is in force, and in words why it can't be used when it can't (then there is none)."""
    try:
        return shelf.in_force(), ""
    except DQAError as error:
        return None, error.public()


def _plain(content: Version) -> dict[str, Any]:
    return content.model_dump(mode="json", by_alias=True)


def _sealed(content: Content) -> Kept[Content]:
    canonical = json.dumps(_plain(content), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return Kept(content, hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest())


def _write_new(path: Path, text: str) -> bool:
    """Writes a file that is not there; False when it is."""
    part = _part(path, text)
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    finally:
        part.unlink()
    return True


def _part(path: Path, text: str) -> Path:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)

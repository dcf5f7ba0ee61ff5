"""SHA-256 of large files, taken once: while size and time of change stand, a file is the one that was read.

A vision-language model of one's own has 17 GB, and every load would read them all again only to name it. As in the lock
(:mod:`dqa.models.hub.lock`), a file that was overwritten with its time of change put back is not seen.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dqa.models.hub.files import digest
from dqa.models.profiles import FilePin

log = structlog.get_logger(__name__)

FILE = "digests.json"
SCHEMA = "dqa.digests/1"

_WORTH = 2**20
"""Bytes from which on a hash is kept; smaller files are read quicker than the list of hashes."""

_SETTLED_S = 2.0
"""How long a file must have stood still: within a tick of the file system's clock it could change once more unseen."""

_KNOWN: dict[str, FilePin] = {}


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: str = Field(SCHEMA, alias="schema", pattern=f"^{SCHEMA}$")
    files: dict[str, FilePin] = Field(default_factory=dict[str, FilePin])


def known_digest(path: Path, home: Path | None = None) -> str:
    """SHA-256 of a file, read only where it is not known.

    Args:
        home: state folder, in which hashes are kept for the next process; None: this one remembers alone.

    Raises:
        OSError: it can't be read.
    """
    found = path.stat()
    if found.st_size < _WORTH:
        return digest(path)
    name = str(path.resolve())  # the hub's cache links to files named by their content
    for pin in (_KNOWN.get(name), _read(home).get(name)):
        if pin is not None and (pin.size, pin.mtime_ns) == (found.st_size, found.st_mtime_ns):
            _KNOWN[name] = pin
            return pin.sha256
    pin = FilePin(sha256=digest(path), size=found.st_size, mtime_ns=found.st_mtime_ns)
    after = path.stat()
    stood = (after.st_size, after.st_mtime_ns) == (pin.size, pin.mtime_ns)
    if stood and time.time() - found.st_mtime >= _SETTLED_S:
        _KNOWN[name] = pin
        _keep(name, pin, home)
    return pin.sha256


def _read(home: Path | None) -> dict[str, FilePin]:
    if home is None:
        return {}
    try:
        return _Kept.model_validate_json((home / FILE).read_bytes()).files
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        log.warning("digests.json is damaged: files are read again", error=str(error)[:200])
        return {}


def _keep(name: str, pin: FilePin, home: Path | None) -> None:
    """Of several processes at once the last to write wins: what is lost is read again. Files that are gone go."""
    if home is None:
        return
    files = {**{name: pin for name, pin in _read(home).items() if Path(name).is_file()}, name: pin}
    text = _Kept(schema=SCHEMA, files=files).model_dump_json(by_alias=True, indent=1)
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, made = tempfile.mkstemp(dir=home, prefix=f".{FILE}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            Path(made).replace(home / FILE)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(made).unlink()
            raise
    except OSError as error:
        log.warning("hashes of large files can't be kept", error=error.strerror or str(error))

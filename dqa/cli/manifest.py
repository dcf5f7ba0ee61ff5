"""A batch's manifest: one request a line, each usable or with the reason why not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dqa.errors import DQAError, InputError

_LONGEST = 2**20
"""Bytes of one line; a prompt and a path need far less."""

_RESERVED = "line:"
"""Prefix of the request ids given to lines that have no usable id of their own."""


class MalformedLine(InputError):
    """A line that is no request; the run names it and goes on."""

    type = "malformed-line"
    title = "Not a request"


@dataclass(frozen=True, slots=True)
class Request:
    """One line. ``id`` is what the manifest says, a string or a whole number; ``media`` is absolute."""

    id: str | int
    line: int
    media: Path
    prompt: str
    user: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that can't be run; ``id`` is its own, or ``line:N`` where it has none that is free."""

    id: str | int
    line: int
    error: DQAError


def read_manifest(path: Path) -> list[Request | Refused]:
    """Reads every line; blank ones are passed over, keys that no request has are left alone.

    Relative media paths start at the manifest's folder.

    Raises:
        InputError: there is no such file, or it can't be read.
    """
    try:
        with path.open("rb") as file:
            return list(_unique(_lines(iter(lambda: file.readline(_LONGEST + 1), b""), path.absolute().parent)))
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise InputError(f"can't be read ({what})", fix="give a JSONL file", where=str(path)) from None


def _lines(chunks: Iterator[bytes], folder: Path) -> Iterator[Request | Refused]:
    for number, line in enumerate(_whole(chunks), start=1):
        if len(line) > _LONGEST:
            yield Refused(f"{_RESERVED}{number}", number, MalformedLine("longer than 1 MB", fix="shorten it"))
        elif line.strip(b"\xef\xbb\xbf \t\r\n"):
            yield _request(line, number, folder)


def _whole(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines; of one that is too long the beginning only, so that memory stays flat."""
    for chunk in chunks:
        yield chunk
        rest = chunk
        while len(rest) > _LONGEST and not rest.endswith(b"\n"):
            rest = next(chunks, b"")


def _request(chunk: bytes, number: int, folder: Path) -> Request | Refused:
    data: Any = None
    try:
        data = json.loads(chunk.decode("utf-8-sig"))
        return _checked(data, number, folder)
    except MalformedLine as error:
        own = _own_id(data)
        return Refused(f"{_RESERVED}{number}" if own is None else own, number, error)
    except (ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else "not JSON in UTF-8"
        return Refused(f"{_RESERVED}{number}", number, MalformedLine(what, fix="write one JSON object a line"))


def _checked(data: Any, number: int, folder: Path) -> Request:
    if not isinstance(data, dict):
        raise MalformedLine("not a JSON object", fix='write {"id": ..., "media": ..., "prompt": ...}')
    if not _is_id(data.get("id")):
        raise MalformedLine("no usable id", fix=f'give "id" as text or a whole number, not starting with {_RESERVED!r}')
    for key in ("media", "prompt"):
        if not isinstance(data.get(key), str):
            raise MalformedLine(f'"{key}" is missing or not text', fix="add it")
    if not isinstance(data.get("user"), str | None):
        raise MalformedLine('"user" is not text', fix="correct it or leave it out")
    if not data["media"] or "\0" in data["media"]:
        raise MalformedLine('"media" is not a path', fix="correct it")
    return Request(data["id"], number, folder / data["media"], data["prompt"], data.get("user"))


def _own_id(data: Any) -> str | int | None:
    return data["id"] if isinstance(data, dict) and _is_id(data.get("id")) else None


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value) and not value.startswith(_RESERVED)
    return isinstance(value, int) and not isinstance(value, bool)


def _unique(lines: Iterator[Request | Refused]) -> Iterator[Request | Refused]:
    """Refuses a second line with an id that is taken: its result could not be told from the first's."""
    seen: dict[str, int] = {}
    for line in lines:
        first = seen.setdefault(str(line.id), line.line)
        if first == line.line:
            yield line
        else:
            error = MalformedLine(
                f"the id {line.id!r} stands on line {first} already", fix="give every line its own id"
            )
            yield Refused(f"{_RESERVED}{line.line}", line.line, error)

"""A file's entries, one at a time: a JSON list or JSON lines, however large, whatever is in them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from pydantic import JsonValue

from dqa.errors import InputError
from dqa.jsonsafe import parse_json

LONGEST = 16 * 2**20
"""Bytes of one entry; two records with all their evidence take well under one million."""

_MOST_VALUES = 500_000
_CHUNK = 2**20
_BLANK = b"\xef\xbb\xbf \t\r\n"
_LARGEST = 2**63
_MARKS = {False: re.compile(rb'["{}\[\],]'), True: re.compile(rb'["\\]')}
"""What matters outside (False) and inside (True) a string."""

_FIX = "see docs/how-to/your-data.md"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. ``place`` says where it stands (``line 3``, ``entry 3``); ``value`` may be what is wrong with it."""

    place: str
    value: JsonValue | InputError


def read_entries(path: Path) -> Iterator[Entry]:
    """The entries of a file; memory does not grow with it.

    Raises:
        InputError: the file can't be read.
    """
    try:
        with path.open("rb") as file:
            yield from _read(file)
    except OSError as error:
        what = f"can't be read ({(error.strerror or str(error)).lower()})"
        raise InputError(what, fix="give a JSONL or JSON file", where=str(path)) from None


def _read(file: BinaryIO) -> Iterator[Entry]:
    chunks = iter(lambda: file.read(_CHUNK), b"")
    first = next(chunks, b"")
    whole = chain([first], chunks)
    if first.lstrip(_BLANK).startswith(b"["):
        kind, texts = "entry", _elements(whole)
    else:
        kind, texts = "line", _lines(whole)
    for number, text in enumerate(texts, 1):
        if text is None or text.strip(_BLANK):
            yield Entry(f"{kind} {number}", _parsed(text))


def _parsed(text: bytes | None) -> JsonValue | InputError:
    if text is None:
        return InputError(f"longer than {LONGEST >> 20} MB", fix="shorten it")
    try:
        value = parse_json(text.strip(_BLANK), max_values=_MOST_VALUES)
    except InputError:
        what = "not JSON that can be used (in UTF-8, without NaN, not nested deeply, no half characters)"
        return InputError(what, fix=_FIX)
    return InputError("a number in it is beyond belief", fix="correct it") if _immense(value) else value


def _immense(value: JsonValue) -> bool:
    """Whether there is an infinite number (``1e999``), or a whole one that no machine integer holds."""
    waiting: list[JsonValue] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, float | int) and not _is_sane(item):
            return True
    return False


def _is_sane(number: float) -> bool:
    return math.isfinite(number) if isinstance(number, float) else abs(number) <= _LARGEST


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    """The lines; None for one that is too long."""
    line = _Bounded()
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            line.add(part)
            yield line.take()
        line.add(rest)
    yield line.take()


def _elements(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    """The texts of a JSON list's elements; None for one that is too long. What follows the list is passed over."""
    element = _Bounded()
    depth, inside, escaped = 0, False, False
    for chunk in chunks:
        start = at = 0
        while at < len(chunk):
            if escaped:
                escaped, at = False, at + 1
                continue
            mark = _MARKS[inside].search(chunk, at)
            if mark is None:
                break
            at, what = mark.end(), mark.group()
            if inside or what == b'"':
                inside, escaped = inside != (what == b'"'), what == b"\\"
                continue
            depth += (what in b"[{") - (what in b"]}")
            if depth == 1 and what == b"[":
                start = at
            if (depth == 1 and what == b",") or depth == 0:
                element.add(chunk[start : at - 1])
                yield element.take()
                start = at
            if depth == 0:
                return
        element.add(chunk[start:])
    yield element.take()


class _Bounded:
    """Bytes that are put together, up to :data:`LONGEST`."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= LONGEST:
            self._parts.append(part)

    def take(self) -> bytes | None:
        whole = b"".join(self._parts) if self._size <= LONGEST else None
        self._parts, self._size = [], 0
        return whole

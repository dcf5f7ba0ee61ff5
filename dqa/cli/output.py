"""Writing to the terminal: data to stdout, messages to stderr, and no text that could steer the terminal."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from dqa.errors import UnavailableError
from dqa.record import EvaluationRecord
from dqa.report.text import clean

__all__ = [
    "StdoutClosed",
    "StdoutUnwritable",
    "clean",
    "emit",
    "emit_json",
    "emit_record",
    "flush",
    "one_line",
    "say",
    "write",
]


_UNRULY = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Characters outside ASCII that break lines or steer a terminal; in JSON they only stand inside strings."""


class StdoutUnwritable(UnavailableError):
    """Stdout takes no more, e.g. its disk is full."""


class StdoutClosed(Exception):
    """Whoever read our stdout is gone (``dqa ... | head``); nothing more to do."""


def one_line(text: str) -> str:
    """:func:`clean`, on one line."""
    return " ".join(clean(text).split())


def emit(text: str) -> None:
    """Writes data to stdout, ending the line, at once; raises as :func:`write`."""
    write(text if text.endswith("\n") else text + "\n")


def write(text: str) -> None:
    """Writes data to stdout as it is, at once.

    Raises:
        StdoutClosed: the reader went away.
        StdoutUnwritable: stdout can't be written.
    """
    with _failures():
        sys.stdout.write(text)
        sys.stdout.flush()


def flush() -> None:
    """Writes out what still waits; raises as :func:`write`."""
    with _failures():
        sys.stdout.flush()


@contextmanager
def _failures() -> Generator[None]:
    try:
        yield
    except BrokenPipeError:
        raise StdoutClosed from None
    except OSError as error:
        what = f"stdout can't be written ({(error.strerror or str(error)).lower()})"
        raise StdoutUnwritable(what, fix="make room there, or write elsewhere") from None


def emit_json(value: Any) -> None:
    """Writes ``value`` to stdout as one line of JSON."""
    emit(json.dumps(value, ensure_ascii=True, allow_nan=False))


def emit_record(record: EvaluationRecord) -> None:
    """Writes a record to stdout on one line, whoever splits it: JSON leaves U+2028 and its like as they are."""
    emit(_UNRULY.sub(lambda found: f"\\u{ord(found.group()):04x}", record.to_json()))


def say(text: str) -> None:
    """Writes a message to stderr, on one line."""
    try:
        sys.stderr.write(f"dqa: {one_line(text)}\n")
        sys.stderr.flush()
    except OSError:
        pass  # nobody listens to the messages; the exit code still tells

"""A choice as a file tells it, before its clips are looked up; and what all formats check alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from dqa.errors import InputError
from dqa.store.moments import utc

Chosen = Literal["a", "b", "tie"]
Side = Literal["a", "b"]
Clip = str | dict[str, JsonValue]
"""What a file calls a clip (an evaluation's id, a media name or hash), or its whole record."""

Row = Mapping[str, JsonValue]

FIX = "see docs/how-to/your-data.md"

_NAME = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}")
_MOST_REASONS, _LONGEST_REASON = 10, 60


@dataclass(frozen=True, slots=True)
class ToldChoice:
    """One choice.

    Attributes:
        test_id: its own name; a user has each once.
        a, b: the clips.
        chosen: which was preferred.
        user: whose choice; None if the file does not say.
        timestamp: when, ISO 8601 in UTC; empty if the file does not say.
        left: which clip was shown on the left, where that is known.
        why: the reasons that were ticked.
    """

    test_id: str
    a: Clip
    b: Clip
    chosen: Chosen
    user: str | None = None
    timestamp: str = ""
    left: Side | None = None
    why: tuple[str, ...] = ()


def name(row: Row, key: str) -> str:
    """A name: text (or a whole number) of 1 to 200 characters, none of them a control character."""
    found = row.get(key)
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str) or not found.strip():
        raise InputError(f'"{key}" is missing or not text', fix=FIX)
    if not _NAME.fullmatch(found):
        raise InputError(f'"{key}" is longer than 200 characters, or has control characters', fix="shorten it")
    return found.strip()


def clip(row: Row, key: str) -> Clip:
    """What stands for a clip."""
    found = row.get(key)
    return found if isinstance(found, dict) else name(row, key)


def user(row: Row) -> str | None:
    """Whose choice it is, if the entry says."""
    return None if row.get("user") in (None, "") else name(row, "user")


def timestamp(value: JsonValue) -> str:
    """A time as ISO 8601 in UTC, from text in ISO 8601, or seconds or milliseconds since the epoch; empty for none."""
    if value in (None, ""):
        return ""
    found = utc(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    if found is not None:
        return found
    raise InputError("the timestamp is no time in ISO 8601", fix="write it like 2026-01-31T12:00:00Z, or leave it out")


def side(value: JsonValue, key: str) -> Side | None:
    """A side, or None where there is none."""
    if value is not None and value not in ("a", "b"):
        raise InputError(f'"{key}" is not a side', fix='write "a" or "b", or leave it out')
    return value


def why(value: JsonValue) -> tuple[str, ...]:
    """The reasons that were ticked: at most 10, of at most 60 characters each."""
    if value is None:
        return ()
    texts = [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
    if not isinstance(value, list) or len(texts) != len(value) or len(texts) > _MOST_REASONS:
        raise InputError('"why" is not a list of at most 10 texts', fix="correct it or leave it out")
    if any(len(text) > _LONGEST_REASON or not _NAME.fullmatch(text) for text in texts):
        raise InputError('a text in "why" is empty or longer than 60 characters', fix="shorten it")
    return tuple(texts)

"""JSON from strangers, bounded before it is believed: size, nesting, and only what JSON allows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from pydantic import JsonValue
from pydantic_core import from_json

from dqa.errors import InputError

MAX_DEPTH = 64


class MalformedJson(InputError):
    """Not JSON, or JSON with what the standard forbids (NaN, Infinity, lone surrogates)."""

    type = "malformed-json"
    title = "The body is not valid JSON"


def parse_json(data: bytes, max_depth: int = MAX_DEPTH) -> JsonValue:
    """Parses one JSON document.

    The parser itself stops at 200 levels, in time linear in the input; the caller bounds the size.

    Raises:
        MalformedJson: not JSON in UTF-8; NaN or Infinity; a lone surrogate; nested deeper than ``max_depth``.

    >>> parse_json(b'{"a": [1, 2]}')
    {'a': [1, 2]}
    """
    try:
        value: JsonValue = from_json(data, allow_inf_nan=False, cache_strings="none")
    except ValueError:
        raise MalformedJson(
            "the body is not valid JSON", fix="send one JSON document in UTF-8, without NaN, nested reasonably"
        ) from None
    if _deeper_than(value, max_depth):
        raise MalformedJson(f"the JSON is nested deeper than {max_depth} levels", fix="flatten it")
    return value


def _deeper_than(value: JsonValue, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return True


def _children(value: JsonValue) -> Iterable[JsonValue]:
    if isinstance(value, dict):
        return cast("dict[str, JsonValue]", value).values()
    return cast("list[JsonValue]", value) if isinstance(value, list) else ()

"""JSON from strangers, bounded before it is believed: size, nesting, and only what JSON allows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from pydantic import JsonValue
from pydantic_core import from_json

from dqa.errors import InputError

MAX_DEPTH = 64
MAX_VALUES = 2_000
_MAX_COMMAS = 100_000
"""More than any text of a lawful length holds; so many are counted much faster than parsed."""


class MalformedJson(InputError):
    """Not JSON, or JSON with what the standard forbids (NaN, Infinity, lone surrogates)."""

    type = "malformed-json"
    title = "The body is not valid JSON"


def parse_json(data: bytes, max_depth: int = MAX_DEPTH, max_values: int = MAX_VALUES) -> JsonValue:
    """Parses one JSON document.

    The parser itself stops at 200 levels, in time linear in the input; the caller bounds the size. The number of
    values is bounded, since each may cost whoever checks them an error message.

    Raises:
        MalformedJson: not JSON in UTF-8; NaN or Infinity; a lone surrogate; nested deeper than ``max_depth``; more
            than ``max_values`` values.

    >>> parse_json(b'{"a": [1, 2]}')
    {'a': [1, 2]}
    """
    if data.count(b",") > max(_MAX_COMMAS, max_values):
        raise _too_many(max_values)
    try:
        value: JsonValue = from_json(data, allow_inf_nan=False, cache_strings="none")
    except ValueError:
        raise MalformedJson(
            "the body is not valid JSON", fix="send one JSON document in UTF-8, without NaN, nested reasonably"
        ) from None
    _bound(value, max_depth, max_values)
    return value


def _bound(value: JsonValue, max_depth: int, max_values: int) -> None:
    level = [value]
    seen = 0
    for _ in range(max_depth + 1):
        seen += len(level)
        if seen > max_values:
            raise _too_many(max_values)
        level = [child for item in level for child in _children(item)]
        if not level:
            return
    raise MalformedJson(f"the JSON is nested deeper than {max_depth} levels", fix="flatten it")


def _children(value: JsonValue) -> Iterable[JsonValue]:
    if isinstance(value, dict):
        return cast("dict[str, JsonValue]", value).values()
    return cast("list[JsonValue]", value) if isinstance(value, list) else ()


def _too_many(most: int) -> MalformedJson:
    return MalformedJson(f"the JSON holds more than {most} values", fix="send fewer")

"""The user_style block as what a user likes and dislikes."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import JsonValue

from dqa.agenthost import blocks
from dqa.taste.style import Style

LIKES = ("COLOR_PREFERENCES", "MOOD_PREFERENCES", "THEME_PREFERENCES", "PACING_PREFERENCES", "FAVORITE_SUCCESSES")
DISLIKES = ("DISLIKED_ELEMENTS",)

_SAYING = frozenset({"prompt", "description", "text", "title", "reason", "why", "style", "element", "name"})
"""Where an entry is an object: the fields that say something, not the ids beside them."""

_DEEP = 3


def read_style(text: str) -> Style:
    """The style in a user_style block of either form. Never raises; what can't be read says nothing.

    >>> read_style('COLOR_PREFERENCES: warm tones, no neon\\nDISLIKED_ELEMENTS: ["shaky camera"]')
    Style(likes=('warm tone',), dislikes=('neon', 'shaky camera'))
    """
    block = blocks.parse(text)
    return Style.of(_texts(block, LIKES), _texts(block, DISLIKES))


def _texts(block: blocks.Block, keys: tuple[str, ...]) -> list[str]:
    return [text for key in keys for text in _said(_value(block, key))]


def _value(block: blocks.Block, key: str) -> JsonValue:
    try:
        return blocks.value(block, key)
    except (ValueError, RecursionError):
        return None


def _said(value: JsonValue, depth: int = 0) -> Iterator[str]:
    """The texts in a value: itself, a list's, an object's fields that say something."""
    if isinstance(value, str):
        yield from _said(_opened(value), depth + 1) if value.startswith(("[", "{")) else (value,)
    elif isinstance(value, list) and depth < _DEEP:
        for item in value:
            yield from _said(item, depth + 1)
    elif isinstance(value, dict) and depth < _DEEP:
        for name, item in value.items():
            if name.lower() in _SAYING:
                yield from _said(item, depth + 1)


def _opened(text: str) -> JsonValue:
    """JSON within a text; broken JSON is read as plain words."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.translate(str.maketrans("", "", '[]{}"'))

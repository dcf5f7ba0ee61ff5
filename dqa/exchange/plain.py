"""Our own lines, and both shapes that choices have in memory blocks.

``{"test_id", "user"?, "a", "b", "chosen": "a" | "b" | "tie", "timestamp"?, "left"?, "why"?}``, where ``a`` and ``b``
are evaluation ids or whole records; ``{"test_id", "chosen": <clip>, "rejected": <clip>, "timestamp"?}``; and
``{"test_id", "variation_a": <clip>, "variation_b": <clip>, "chosen": "variation_a" | "variation_b", "timestamp"?}``.
"""

from __future__ import annotations

from typing import cast

from pydantic import JsonValue

from dqa.errors import InputError
from dqa.exchange.choice import Chosen, Clip, Row, ToldChoice, clip, name, side, timestamp, user, why

_VARIATIONS: dict[str, Chosen] = {"variation_a": "a", "variation_b": "b", "a": "a", "b": "b", "tie": "tie"}


def read_line(row: Row) -> ToldChoice:
    """A choice in our own form."""
    told = name(row, "chosen")
    if told not in ("a", "b", "tie"):
        raise InputError(f"{told[:40]!r} is not a side", fix='"chosen" is a, b or tie')
    return _told(row, clip(row, "a"), clip(row, "b"), told)


def read_pair(row: Row) -> ToldChoice:
    """A choice as ``chosen`` over ``rejected``."""
    return _told(row, clip(row, "chosen"), clip(row, "rejected"), "a")


def read_variations(row: Row) -> ToldChoice:
    """A choice between ``variation_a`` and ``variation_b``, told by its side or by its clip."""
    a, b = clip(row, "variation_a"), clip(row, "variation_b")
    told = name(row, "chosen")
    by_clip = {found: letter for found, letter in ((a, "a"), (b, "b")) if isinstance(found, str)}
    chosen = _VARIATIONS.get(told.lower()) or by_clip.get(told)
    if chosen is None:
        raise InputError(f"{told[:40]!r} is neither variation", fix='write "variation_a" or "variation_b"')
    return _told(row, a, b, cast("Chosen", chosen))


def _told(row: Row, a: Clip, b: Clip, chosen: Chosen) -> ToldChoice:
    left: JsonValue = row.get("left")
    return ToldChoice(
        name(row, "test_id"),
        a,
        b,
        chosen,
        user(row),
        timestamp(row.get("timestamp")),
        side(left, "left"),
        why(row.get("why")),
    )

"""USER_SELECTIONS of the ab_testing block, in both shapes it has in the field, as choices between two clips.

``{test_id, chosen: <video id>, rejected: <video id>, timestamp}`` and
``{test_id, variation_a: <id>, variation_b: <id>, chosen: "variation_a" | "variation_b", timestamp}``.
A malformed entry is reported by itself and the others go on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, JsonValue

from dqa.agenthost import blocks

KEY = "USER_SELECTIONS"

_MOST_BROKEN = 500

_SIDES: dict[str, Literal["a", "b", "tie"]] = {
    "variation_a": "a",
    "variation_b": "b",
    "a": "a",
    "b": "b",
    "tie": "tie",
}


class Selection(BaseModel):
    """One choice, as ``POST /v1/selections`` takes it: ``chosen`` is a side, ``a`` and ``b`` are ids."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    test_id: str
    a: str
    b: str
    chosen: Literal["a", "b", "tie"]
    timestamp: str | None = None


class Problem(BaseModel):
    """What is wrong with one entry. ``index`` counts from 0; -1 is the block or the list itself."""

    model_config = ConfigDict(frozen=True)

    index: int
    error: str
    fix: str
    entry: str = ""


class Choices(BaseModel):
    """Everything one block holds: the choices, each test once, and the entries that could not be read."""

    selections: list[Selection]
    problems: list[Problem]


class _Malformed(Exception):
    def __init__(self, error: str, fix: str) -> None:
        super().__init__(error)
        self.error = error
        self.fix = fix


def read_selections(text: str) -> Choices:
    """The choices in an ab_testing block of either form. Never raises.

    >>> choices = read_selections('USER_SELECTIONS: [{"test_id": "t1", "chosen": "v1", "rejected": "v2"}, 7]')
    >>> [(s.test_id, s.a, s.b, s.chosen) for s in choices.selections], [p.index for p in choices.problems]
    ([('t1', 'v1', 'v2', 'a')], [1])
    """
    block = blocks.parse(text)
    problems = [Problem(index=-1, error=what, fix="correct the block by hand") for what in _concerning(block)]
    selections: dict[str, Selection] = {}
    index = 0
    for raw in block.raw(KEY) or _salvaged_member(text, block):
        for entry in _entries(raw):
            _take(index, entry, selections, problems)
            index += 1
    return Choices(selections=list(selections.values()), problems=problems)


def _concerning(block: blocks.Block) -> list[str]:
    return [what for what in block.problems if block.form == "json" or f" {KEY} " in what]


def _take(index: int, entry: JsonValue | _Malformed, into: dict[str, Selection], problems: list[Problem]) -> None:
    try:
        _admit(_normalise(entry), into)
    except _Malformed as error:
        shown = "" if isinstance(entry, _Malformed) else json.dumps(entry, ensure_ascii=False)[:200]
        problems.append(Problem(index=index, error=error.error, fix=error.fix, entry=shown))


def _admit(selection: Selection, into: dict[str, Selection]) -> None:
    known = into.setdefault(selection.test_id, selection)
    if _choice(known) != _choice(selection):
        raise _Malformed(
            f"test {selection.test_id} is there twice with different choices", "keep one of them; the first counts"
        )


def _choice(selection: Selection) -> tuple[frozenset[str], str]:
    sides = {"a": selection.a, "b": selection.b, "tie": "tie"}
    return frozenset((selection.a, selection.b)), sides[selection.chosen]


def _normalise(entry: JsonValue | _Malformed) -> Selection:
    """One entry of either shape as a choice."""
    if isinstance(entry, _Malformed):
        raise entry
    if not isinstance(entry, dict):
        raise _Malformed("the entry is not an object", 'write {"test_id": ..., "chosen": ..., "rejected": ...}')
    test_id = _identifier(entry, "test_id")
    stamp = entry.get("timestamp")
    timestamp = None if stamp is None else str(stamp)
    chosen = _identifier(entry, "chosen")
    if "variation_a" in entry or "variation_b" in entry:
        a, b = _identifier(entry, "variation_a"), _identifier(entry, "variation_b")
        side = _SIDES.get(chosen.lower()) or {a: "a", b: "b"}.get(chosen)
        if side is None:
            raise _Malformed(f"chosen is {chosen!r}", 'write "variation_a" or "variation_b"')
    else:
        a, b, side = chosen, _identifier(entry, "rejected"), "a"
    if a == b:
        raise _Malformed(f"both sides are {a!r}", "name two different videos")
    return Selection(test_id=test_id, a=a, b=b, chosen=cast(Literal["a", "b", "tie"], side), timestamp=timestamp)


def _identifier(entry: Mapping[str, JsonValue], key: str) -> str:
    found = entry.get(key)
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str) or not found.strip():
        raise _Malformed(f"{key} is missing or not text", f"give the entry a {key}")
    return found.strip()


def _entries(raw: str) -> Iterator[JsonValue | _Malformed]:
    """The entries of a list; where the list is broken, every entry that can be read by itself."""
    if not raw.strip():
        return
    try:
        found = json.loads(raw)
        if isinstance(found, str):
            found = json.loads(found)
    except (ValueError, RecursionError):
        yield from _salvaged(raw)
        return
    if found is None:
        return
    yield from (found if isinstance(found, list) else [found])


def _salvaged(raw: str) -> Iterator[JsonValue | _Malformed]:
    decoder = json.JSONDecoder()
    at = raw.find("{")
    broken = 0
    while at >= 0:
        try:
            found, end = decoder.raw_decode(raw, at)
            yield cast(JsonValue, found)
        except (ValueError, RecursionError):
            end = raw.find("{", at + 1)
            end = len(raw) if end < 0 else end
            shown = " ".join(raw[at:end].split())[:200]
            yield _Malformed(f"the entry is not JSON: {shown}", "correct its quotes, commas and brackets")
            broken += 1
            if broken == _MOST_BROKEN:
                yield _Malformed(
                    f"over {_MOST_BROKEN} entries are broken, the rest was not read", "write the list anew"
                )
                return
        at = raw.find("{", end)
    if "{" not in raw:
        yield _Malformed(f"{KEY} is not a list of objects", 'write [{"test_id": ..., ...}]')


def _salvaged_member(text: str, block: blocks.Block) -> list[str]:
    """The list's text in a JSON block that is broken before or inside it."""
    if block.form != "json" or not block.problems:
        return []
    at = text.find(f'"{KEY}"')
    opened = text.find("[", at) if at >= 0 else -1
    closed = text.find("]", opened)
    return [text[opened : closed + 1 if closed >= 0 else len(text)]] if opened >= 0 else []

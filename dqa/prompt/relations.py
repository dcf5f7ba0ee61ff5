"""Spatial relations between the noun phrases of a prompt, with their sign: who is left of whom."""

from __future__ import annotations

from collections.abc import Sequence

from dqa.prompt.parse import RelationName
from dqa.prompt.tagging import Word

_SIMPLE: dict[str, RelationName] = {
    "in": "in", "inside": "in", "within": "in", "into": "in", "through": "in", "across": "in", "amid": "in",
    "on": "on", "onto": "on", "upon": "on", "atop": "on",
    "under": "below", "below": "below", "beneath": "below", "underneath": "below",
    "over": "above", "above": "above",
    "behind": "behind",
    "near": "next to", "beside": "next to", "by": "next to", "alongside": "next to",
}  # fmt: skip
_PLACES = frozenset({"left", "right", "top", "front", "side"})
_MODIFIERS = frozenset({"det", "adj", "num", "adv"})
_BREAKS = frozenset({".", ";", "!", "?", ":", "and", "or", "while", "as", "when"})
_SIDES: dict[str, RelationName] = {"left": "left of", "right": "right of"}
_SHAPES: tuple[tuple[tuple[str, ...], RelationName], ...] = (
    (("in", "front", "of"), "in front of"),
    (("on", "top", "of"), "on"),
    (("next", "to"), "next to"),
    (("close", "to"), "next to"),
)


def relation_between(gap: Sequence[Word]) -> RelationName | None:
    """The relation that the words between two noun phrases state, the first phrase being its subject.

    None when they state none, or another sentence begins in between.
    """
    gap = _without_modifiers(gap)
    lows = [w.low for w in gap if w.tag != "det"]
    # Another clause, or a noun that names nothing visible ("casting shadows onto"): the preposition is not the first's.
    if any(low in _BREAKS for low in lows) or any(w.tag == "abstract" and w.low not in _PLACES for w in gap):
        return None
    for side, name in _SIDES.items():
        if side in lows and lows[-1:] == ["of"]:
            return name
    for shape, name in _SHAPES:
        if tuple(lows[-len(shape) :]) == shape:
            return name
    # Of two prepositions in a row the last one speaks: "out from under the table".
    if lows[-1:] == ["by"] and any(w.tag in ("verb", "adj") for w in gap):
        return None  # "blown away by the wind" says who did it
    return _SIMPLE.get(lows[-1]) if lows and gap[-1].tag == "prep" else None


def _without_modifiers(gap: Sequence[Word]) -> Sequence[Word]:
    """The gap without what already belongs to the phrase after it ("under a vast, |cloudy sky")."""
    end = len(gap)
    while end and (gap[end - 1].tag in _MODIFIERS or (gap[end - 1].low == "," and gap[end - 2].tag == "adj")):
        end -= 1
    return gap[:end]


def side_named_after(tail: Sequence[Word]) -> RelationName | None:
    """The side in "a cat on the left": the relation it has to what stands on the other side."""
    lows = [w.low for w in tail[:6] if w.tag != "det"]
    for i, low in enumerate(lows[:-1]):
        if low in ("on", "to", "at") and lows[i + 1] in _SIDES and lows[i + 2 : i + 3] != ["of"]:
            return _SIDES[lows[i + 1]]
        if low in (",", ".", ";", "and"):
            return None
    return None

"""Noun phrases: from tagged words to entities with attributes and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dqa.prompt.lexicon import NUMBERS, closed_class, singular
from dqa.prompt.parse import Entity
from dqa.prompt.tagging import Word

_INSIDE = frozenset({"adj", "noun", "abstract", "num"})
_PAIRS = frozenset({"pair", "couple"})


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun phrase at words ``start`` to ``end`` (exclusive), with what it names."""

    start: int
    end: int
    entity: Entity
    definite: bool


def noun_phrases(words: Sequence[Word]) -> list[Phrase]:
    """The phrases that name something visible, in order."""
    found: list[Phrase] = []
    i, count = 0, None
    while i < len(words):
        if words[i].tag not in _INSIDE:
            i += 1
            continue
        end = _end(words, i)
        if _is_collective(words, end):
            # "two flocks of sheep", "a pair of shoes": the thing comes after the "of".
            count = 2 if words[end - 1].low in _PAIRS else None
        else:
            phrase = _phrase(words, i, end, count)
            found += [phrase] if phrase else []
            count = None
        i = end
    return found


def _end(words: Sequence[Word], start: int) -> int:
    end = start
    while end < len(words) and words[end].tag in _INSIDE:
        # A number or an adjective after the noun opens the next phrase ("guys 2 dogs").
        if end > start and words[end].tag in ("num", "adj") and words[end - 1].tag in ("noun", "abstract"):
            break
        # So does what somebody owns ("a city's streets").
        if end > start and words[end - 1].text.lower() != words[end - 1].low:
            break
        end += 1
    return end


def _is_collective(words: Sequence[Word], end: int) -> bool:
    low = words[end - 1].low
    named = not closed_class("collective").isdisjoint((low, singular(low)))
    return named and end < len(words) and words[end].low == "of"


def _phrase(words: Sequence[Word], start: int, end: int, count: int | None) -> Phrase | None:
    last = end
    # What is seen of a "desert expanse" or a "mountain range" is the desert and the mountain.
    while last > start and words[last - 1].tag != "noun":
        last -= 1
    inside = [w for w in words[start:last] if w.tag != "num"]
    if not inside:
        return None
    numbers = [_number(w.low) for w in words[start:last] if w.tag == "num"]
    head = singular(inside[-1].low)
    entity = Entity(
        text=" ".join([*(w.text for w in inside[:-1]), inside[-1].text[: len(inside[-1].low)]]),
        head=head,
        attributes=tuple(dict.fromkeys(w.low for w in inside[:-1])),
        count=numbers[0] if numbers else count,
    )
    return Phrase(start, last, entity, definite=start > 0 and words[start - 1].low in ("the", "this", "that"))


def _number(low: str) -> int | None:
    if low in NUMBERS:
        return NUMBERS[low]
    return int(low) if len(low) <= 4 else None

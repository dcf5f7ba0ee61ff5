"""Words of a prompt and the part each plays, decided left to right from the word and its neighbours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dqa.prompt import lexicon
from dqa.prompt.style import style_length

Tag = Literal["det", "num", "adj", "noun", "abstract", "verb", "adv", "prep", "conj", "aux", "style", "stop"]
"""``noun`` is a visible thing, ``abstract`` any other noun, ``stop`` punctuation."""

_TOKEN = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*|[^\w\s]")
_CLOSED: tuple[Tag, ...] = ("det", "prep", "conj", "aux", "adv")
_NOUN_PHRASE_STARTS: frozenset[Tag] = frozenset({"det", "num", "adj"})


@dataclass(frozen=True, slots=True)
class Word:
    """One token: ``text`` as written, ``low`` in lower case without a possessive ending."""

    text: str
    low: str
    tag: Tag


def tag_words(text: str) -> list[Word]:
    """The words and punctuation marks of ``text`` with their tags. Time is linear in the length.

    >>> [w.tag for w in tag_words("a dark wolf prowling through moonlit forest")]
    ['det', 'adj', 'noun', 'verb', 'prep', 'adj', 'noun']
    """
    tokens = _TOKEN.findall(text)
    lows = [_plain(t) for t in tokens]
    tags = _fixed(lows)
    for i in range(len(lows)):
        if tags[i] is None:
            tags[i] = _open_class(lows, tags, i)
    return [Word(t, low, tag or "stop") for t, low, tag in zip(tokens, lows, tags, strict=True)]


def _plain(token: str) -> str:
    low = token.lower().replace("’", "'")
    return low[:-2] if low.endswith("'s") and len(low) > 2 else low


def _fixed(lows: Sequence[str]) -> list[Tag | None]:
    """Tags of words that need no neighbours; None for the open classes."""
    tags: list[Tag | None] = [_closed(low) for low in lows]
    i = 0
    while i < len(lows):
        length = style_length(lows, i)
        for k in range(i, i + length):
            tags[k] = "style"
        i += max(length, 1)
    return tags


def _closed(low: str) -> Tag | None:
    for tag in _CLOSED:
        if low in lexicon.closed_class(tag):
            return tag
    if low in lexicon.NUMBERS or (low.isdecimal() and low.isascii()):
        return "num"
    return None if low[0].isalnum() else "stop"


def _open_class(lows: Sequence[str], tags: Sequence[Tag | None], i: int) -> Tag:
    kinds = lexicon.kinds(lows[i])
    before = tags[i - 1] if i else "stop"
    noun: Tag = "noun" if "N" in kinds else "abstract"
    leads = _leads_to_noun(lows, tags, i)
    if _acts(kinds, lows, tags, i):
        return "verb"
    if leads and "a" in kinds and kinds[0] in "av":
        return "adj"
    if lows[i].endswith("ing") and lows[i] not in lexicon.closed_class("ing"):
        return _participle(lows, i, before, leads, noun)
    if "n" not in kinds.lower() or kinds[0] in "ar":
        # After "the golden" something must come that is a thing, if it can be one at all.
        listed = i + 1 < len(lows) and lows[i + 1] == ","
        if before in _NOUN_PHRASE_STARTS and "n" in kinds.lower() and not leads and not listed:
            return noun
        return {"a": "adj", "r": "adv", "v": "verb"}.get(kinds[0], noun)  # pyright: ignore[reportReturnType]
    return noun


def _participle(lows: Sequence[str], i: int, before: Tag | None, leads: bool, noun: Tag) -> Tag:
    """The part of an -ing word that follows no noun: "shimmering heat", "casting long shadows", "the opening"."""
    described = i + 1 < len(lows) and lexicon.kinds(lows[i + 1])[0] == "a" and before in ("stop", "conj")
    if leads and not described:
        return "adj"
    return noun if before in _NOUN_PHRASE_STARTS else "verb"


def _leads_to_noun(lows: Sequence[str], tags: Sequence[Tag | None], i: int) -> bool:
    """Whether the next word can belong to the same noun phrase."""
    if i + 1 >= len(lows) or tags[i + 1] is not None:
        return i + 1 < len(lows) and tags[i + 1] == "num"
    following = lexicon.kinds(lows[i + 1])
    return following[0] in "Nna" or ("n" in following.lower() and following[0] != "r")


def _acts(kinds: str, lows: Sequence[str], tags: Sequence[Tag | None], i: int) -> bool:
    """Whether a word that can be a verb is one here: after a noun that agrees, before what opens a new phrase."""
    before = tags[i - 1] if i else "stop"
    after_noun = before in ("noun", "abstract")
    if after_noun and lows[i].endswith("ing"):
        begins = i + 1 < len(lows) and tags[i + 1] in ("det", "num")
        return begins or lows[i] not in lexicon.closed_class("ing")
    if "v" not in kinds or before in _NOUN_PHRASE_STARTS or before == "prep":
        return False
    if "n" not in kinds.lower():
        return True
    if not after_noun:
        return kinds[0] == "v" and before in ("aux", "adv")
    opens = i + 1 < len(lows) and tags[i + 1] in ("prep", "det", "adv", "num", "aux")
    ends = i + 1 >= len(lows) or tags[i + 1] == "stop" or (tags[i + 1] is None and lexicon.kinds(lows[i + 1])[0] == "a")
    subject_is_plural = lexicon.singular(lows[i - 1]) != lows[i - 1]
    third_person = lexicon.singular(lows[i]) != lows[i]
    agrees = subject_is_plural != third_person
    return (opens and (agrees or kinds[0] == "v")) or (ends and agrees and kinds[0] == "v")

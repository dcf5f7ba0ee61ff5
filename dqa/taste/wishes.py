"""What people write about their taste, cut into phrases: "warm tones, no neon" wants one thing and not another."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from dqa.taste.words import words

MOST_PHRASES = 64
"""Phrases kept on each side."""

MOST_CHARS = 60
"""Characters of a phrase."""

_MOST_WORDS = 6
_MOST_TEXT = 100_000

_SENTENCE = re.compile(r"[.;:!?\n\r|•]+(?:\s+|$)|\n")
_COMMA = re.compile(r"\s*[,，、/]\s*")
_FIXED = {
    "black and white": "black-and-white",
    "slow motion": "slow-motion",
    "high contrast": "high-contrast",
    "low contrast": "low-contrast",
}
_NAME = re.compile(r"\S*(?:_|\d{4,}|\.(?:mp4|mov|webm|mkv|png|jpe?g)\b)\S*", re.IGNORECASE)
"""Ids and file names: a favourite may be named by one, and it says nothing of what was liked."""

_AGAINST_NEXT = frozenset(words("no not without nor less fewer isn't"))
_AGAINST_ALL = frozenset(words("avoid avoiding dislike disliked hate never don't doesn't skip except"))
_FOR = frozenset(words("like liked love loved prefer preferred want wanted enjoy favour favor more"))
_JOINS = frozenset({"and", "or", "but"})
_EMPTY = frozenset(
    words(
        "a an the i my me we you user it its they is are be was were of in on at to for with by from as that this "
        "these some any all very too much lot really quite rather please always usually often anything something "
        "there his her their our he she over under into than so just also do does use using used show have has"
    )
)


@dataclass
class Wishes:
    """Phrases of plain words, in the order they were said."""

    wanted: list[str] = field(default_factory=list[str])
    unwanted: list[str] = field(default_factory=list[str])


def wishes(texts: Iterable[str], liked: bool) -> Wishes:
    """The phrases of some texts.

    Args:
        texts: as somebody wrote them; the first 100,000 characters in all.
        liked: whether a text speaks of what is wanted. Then "no", "not", "without" turn the phrase after them round,
            and "avoid", "never", "hate" everything up to the end of the sentence or "but". In a list of dislikes
            they say the same again.

    >>> wishes(["I love vivid colours without neon. Avoid shaky camera, text"], True)
    Wishes(wanted=['vivid colour'], unwanted=['neon', 'shaky camera', 'text'])
    """
    found, left = Wishes(), _MOST_TEXT
    for text in texts:
        for sentence in _SENTENCE.split(_prepared(text[:left])):
            _read(sentence, liked, found)
        left -= len(text) + 1
        if left <= 0:
            break
    return found


def _prepared(text: str) -> str:
    plain = " ".join(_NAME.sub(" ", text).replace("\n", ". ").split(" ")).replace("’", "'")
    for phrase, joined in _FIXED.items():
        plain = re.sub(phrase, joined, plain, flags=re.IGNORECASE)
    return plain


def _read(sentence: str, liked: bool, into: Wishes) -> None:
    against_all = False
    for part in _COMMA.split(sentence):
        against, before, phrase = against_all, "", list[str]()
        for word in words(part):
            turn = _turn(word, before)
            if turn or word in _JOINS:
                _keep(phrase, liked and not against, into)
                phrase = []
                against_all = (against_all or word in _AGAINST_ALL) and turn != "for"
                against = (against or turn == "against") and turn != "for"
            elif word not in _EMPTY and word not in _FOR:
                phrase.append(word)
            before = word
        _keep(phrase, liked and not against, into)


def _turn(word: str, before: str) -> str:
    """Which way a word turns what follows: "for", "against" or "" (neither). "Don't like" is one turn, not two."""
    if word in _AGAINST_NEXT or word in _AGAINST_ALL:
        return "against"
    negated = before in _AGAINST_NEXT or before in _AGAINST_ALL
    return "for" if word == "but" or (word in _FOR and not negated) else ""


def _keep(phrase: list[str], wanted: bool, into: Wishes) -> None:
    text = " ".join(phrase[:_MOST_WORDS])[:MOST_CHARS].strip()
    kept = into.wanted if wanted else into.unwanted
    if text and text not in kept and len(kept) < MOST_PHRASES:
        kept.append(text)

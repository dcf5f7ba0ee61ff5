"""What an English word can be. Open-class words come from WordNet's counts (``data/``), the rest is listed here."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_DATA = Path(__file__).parent / "data"

NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "dozen": 12,
}  # fmt: skip
_SUFFIXES = (
    ("ly", "r"), ("ic", "a"), ("ous", "a"), ("ful", "a"), ("less", "a"), ("ish", "a"), ("able", "a"), ("ible", "a"),
    ("ive", "a"), ("ed", "a"), ("ing", "v"), ("lit", "a"), ("-like", "a"),
)  # fmt: skip


@cache
def closed_class(name: str) -> frozenset[str]:
    """The words of a closed class of ``data/closed.txt``: det, conj, prep, aux, adv, collective, unseen or ing."""
    lines = [line for line in (_DATA / "closed.txt").read_text(encoding="ascii").splitlines() if line[:1] != "#"]
    text = "\n".join(lines).replace("\n ", " ")
    return {row.split()[0]: frozenset(row.split()[1:]) for row in text.splitlines()}[name]


@cache
def _table(name: str) -> dict[str, str]:
    rows = (line.split() for line in (_DATA / name).read_text(encoding="ascii").splitlines())
    return {word: value for word, value in rows}


def _kinds() -> dict[str, str]:
    return _table("lexicon.txt")


def _plurals() -> dict[str, str]:
    return _table("plurals.txt")


def kinds(word: str) -> str:
    """What the lower-case ``word`` can be, likeliest first: N visible, n other noun, v verb, a adjective, r adverb.

    A word nobody listed is judged by its ending, and else taken for a visible noun.

    >>> kinds("moonlit"), kinds("prowl"), kinds("wolf"), kinds("glimmeringly")
    ('a', 'vn', 'N', 'r')
    """
    if word in closed_class("unseen"):
        return "n"
    base = singular(word)
    if base != word and "N" in _kinds().get(base, "N"):
        # "lights" are things, though "lights" has an entry of its own.
        return "".join(k for k in _kinds().get(base, "N") if k in "Nnv")
    known = _kinds().get(word) or _inflected(word)
    if known:
        return known
    return next((kind for suffix, kind in _SUFFIXES if word.endswith(suffix) and len(word) > len(suffix) + 2), "N")


def _inflected(word: str) -> str | None:
    base = singular(word)
    if base != word and base in closed_class("unseen"):
        return "n"
    if base != word and base in _kinds():
        # -s is a plural or a third person: an adjective or adverb takes neither.
        return "".join(k for k in _kinds()[base] if k in "Nnv") or "N"
    for ending, cut in (("ing", 3), ("ed", 2), ("ed", 1)):
        stem = word[:-cut] if word.endswith(ending) else ""
        doubled = len(stem) > 3 and stem[-1] == stem[-2]
        for form in (stem, f"{stem}e", stem[:-1] if doubled else ""):
            if "v" in _kinds().get(form, ""):
                return "v" if ending == "ing" else "av"
    return None


def singular(word: str) -> str:
    """The singular of a lower-case noun.

    >>> singular("wolves"), singular("dunes"), singular("glass"), singular("cities")
    ('wolf', 'dune', 'glass', 'city')
    """
    if word in _plurals():
        return _plurals()[word]
    if len(word) < 4 or word.endswith(("ss", "us", "is")) or not word.endswith("s"):
        return word
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    return word[:-2] if word.endswith(("sses", "xes", "zzes", "ches", "shes")) else word[:-1]

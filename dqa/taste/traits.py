"""What a prompt asks for, in a few yes-or-no traits, and how long and complex it is.

A small lexicon of plain English words (``data/traits.txt``): it knows what it lists and nothing else. A prompt in
another script is not judged at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from dqa.prompt import parse_prompt
from dqa.taste.words import LONGEST, contains, words

_DATA = Path(__file__).parent / "data" / "traits.txt"

_LENGTH = (2.7, 0.8)
_COMPLEXITY = (1.9, 0.6)
"""Middle and scale of the logarithms: prompts of 2 to 80 words, and of 1 to 20 things said, lie within -2 to 2."""

_NOT = frozenset({"no", "not", "without", "never"})


def traits(prompt: str) -> Mapping[str, float]:
    """``tag:*`` (1 yes, -1 no), ``prompt:length`` and ``prompt:complexity``; empty for a prompt it can't read.

    length: ``(ln(1 + words) - 2.7) / 0.8``. complexity: the same of entities, their attributes and relations together,
    ``(ln(1 + n) - 1.9) / 0.6``. Only the first 4,000 characters are read.
    """
    return _traits(prompt[:LONGEST])


@lru_cache(maxsize=2048)
def _traits(prompt: str) -> Mapping[str, float]:
    if not _readable(prompt):
        return {}
    said = _affirmed(words(prompt))
    found = {f"tag:{tag}": 1.0 if _asked(phrases, said) else -1.0 for tag, phrases in lexicon().items()}
    parsed = parse_prompt(prompt)
    said_of = len(parsed.entities) + len(parsed.relations) + sum(len(e.attributes) for e in parsed.entities)
    found["prompt:length"] = _scaled(len(words(prompt)), _LENGTH)
    found["prompt:complexity"] = _scaled(said_of, _COMPLEXITY)
    return found


@cache
def lexicon() -> dict[str, tuple[tuple[str, ...], ...]]:
    """Tag -> the phrases that ask for it, as words."""
    rows = (line.partition(":") for line in _DATA.read_text(encoding="utf-8").splitlines() if line[:1] not in ("#", ""))
    return {tag: tuple(words(phrase) for phrase in listed.split(",")) for tag, _, listed in rows}


def _asked(phrases: tuple[tuple[str, ...], ...], said: tuple[str, ...]) -> bool:
    present = set(said)
    return any(present.issuperset(phrase) and contains(said, phrase) for phrase in phrases)


def _affirmed(said: tuple[str, ...]) -> tuple[str, ...]:
    """Without the words right after a "no": "no people" asks for none."""
    negated = {i + k for i, word in enumerate(said) if word in _NOT for k in (0, 1)}
    return tuple(word for i, word in enumerate(said) if i not in negated)


def _readable(prompt: str) -> bool:
    letters = [c for c in prompt if c.isalpha()]
    return 2 * sum(c.isascii() for c in letters) > len(letters)


def _scaled(count: int, unit: tuple[float, float]) -> float:
    return (math.log1p(count) - unit[0]) / unit[1]

"""Prompts in parts, in any script: at punctuation, then between words, and as a last resort within one.

Scripts without spaces (Chinese, Japanese, Thai) have neither words to count nor a space after a comma: there two
letters count as a word, and their own marks end a clause.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise

_BREAK = re.compile(
    r"(?<=[.!?;,…])\s+"
    r"|\n\s*"
    r"|(?<=[。，；！？、：…｡､،؛؟।॥։።])[”’」』）》】]*(?![。，；！？、：…])\s*"
)
"""Behind a mark: where a clause ends. ASCII marks need a space after them, or ``3.5`` would be two."""

_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
"""Letters of scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, kana, Han."""

_LETTERS = 24
"""Letters that count as one word in a run without spaces; hardly a word has more."""

SHOWN = 48
"""Most parts of a prompt, and most letters of each, that a record names of those that were left out."""

_JOINERS = "\u200d\ufe0e\ufe0f"


def length(text: str) -> int:
    """How many words a text has, or would have if its script put spaces between them.

    >>> length("a red fox in snow"), length("一只红色的狐狸在雪地里"), length("x" * 100)
    (5, 6, 5)
    """
    return sum(_length(run) for run in text.split())


def _length(run: str) -> int:
    unspaced = len(_UNSPACED.findall(run))
    return math.ceil(unspaced / 2) + math.ceil((len(run) - unspaced) / _LETTERS)


def shortened(parts: Sequence[str]) -> list[str]:
    """Parts as a record names them.

    >>> shortened(["a fox"]), shortened(["x" * 50])[0][-3:], shortened(["a"] * 50)[-1]
    (['a fox'], 'xx…', 'and 2 more')
    """
    named = [part if len(part) <= SHOWN else f"{part[:SHOWN]}…" for part in parts[:SHOWN]]
    return [*named, f"and {len(parts) - SHOWN} more"] if len(parts) > SHOWN else named


def parted(text: str) -> list[str]:
    """The clauses of a text, each with the space behind it: together they are the text.

    >>> parted("a fox, 3.5 m long. 红狐狸，在雪地里。Run!")
    ['a fox, ', '3.5 m long. ', '红狐狸，', '在雪地里。', 'Run!']
    """
    ends = [0, *(match.end() for match in _BREAK.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(ends) if start < end]


def packed(clause: str, most: int) -> list[str]:
    """A clause in pieces of at most ``most`` words, as many words in each as it takes; together they are the clause."""
    pieces, room = [""], most
    for run in re.findall(r"\s*\S+\s*|\s+", clause):
        for part in halved(run, lambda piece: length(piece) <= most) or [run]:
            size = length(part)
            if size > room:
                pieces.append("")
                room = most
            pieces[-1] += part
            room -= size
    return [piece for piece in pieces if piece]


def cut(words: list[str], fits: Callable[[str], bool]) -> list[str] | None:
    """Words in as few pieces as halving gives, each of which fits; a word that does not is cut, too.

    Returns:
        None if a single letter does not fit.
    """
    whole = " ".join(words)
    if not words or fits(whole):
        return [whole] if words else []
    if len(words) == 1:
        return halved(whole, fits)
    middle = (len(words) + 1) // 2
    first, second = cut(words[:middle], fits), cut(words[middle:], fits)
    return None if first is None or second is None else [*first, *second]


def halved(run: str, fits: Callable[[str], bool]) -> list[str] | None:
    """A run of letters in as few pieces as halving gives, each of which fits; None if a single letter does not.

    >>> halved("狐狸在雪地里", lambda piece: len(piece) <= 2)
    ['狐狸', '在', '雪地', '里']
    """
    if fits(run):
        return [run]
    middle = _between_letters(run, (len(run) + 1) // 2)
    if not 0 < middle < len(run):
        return None
    first, second = halved(run[:middle], fits), halved(run[middle:], fits)
    return None if first is None or second is None else [*first, *second]


def _between_letters(run: str, place: int) -> int:
    """The next place that has no letter's accents or joiners behind it."""
    while place < len(run) and (
        unicodedata.category(run[place])[0] == "M" or run[place] in _JOINERS or run[place - 1] == "\u200d"
    ):
        place += 1
    return place

"""A text as words that can be compared: lower case, singular, in any script."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from dqa.prompt.lexicon import singular

LONGEST = 4000
"""Characters of a text that are read; a prompt says what it wants long before."""

_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_SPELLING = {"color": "colour", "gray": "grey", "colorful": "colourful", "colored": "coloured"}


def words(text: str) -> tuple[str, ...]:
    """The words of the first :data:`LONGEST` characters.

    >>> words("Two WOLVES' eyes, neon-lit; COLORS 狼")
    ('two', 'wolf', 'eye', 'neon-lit', 'colour', '狼')
    """
    return _words(text[:LONGEST])


@lru_cache(maxsize=2048)
def _words(text: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return tuple(_plain(word) for word in _WORD.findall(plain))


def contains(text: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    """Whether the words of ``phrase`` follow one another in ``text``.

    Scripts without spaces have no word boundaries: there a phrase may stand inside a longer run.
    """
    if len(phrase) == 1 and any(ord(c) > 0x2E7F for c in phrase[0]):
        return any(phrase[0] in word for word in text)
    n = len(phrase)
    return n > 0 and any(text[i : i + n] == phrase for i in range(len(text) - n + 1))


def _plain(word: str) -> str:
    single = singular(word[:-2] if word.endswith("'s") else word)
    return _SPELLING.get(single, single)

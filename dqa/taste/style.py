"""What a user says they like and dislike: words, looked for in a clip's prompt and in how it looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from dqa.taste.wishes import MOST_CHARS, MOST_PHRASES, wishes
from dqa.taste.words import contains, words

_DATA = Path(__file__).parent / "data" / "looks.txt"

_OF_LOOKS = frozenset(
    words(
        "colour tone tint hue palette grading grade light lighting picture image look mood pace pacing motion movement "
        "speed cut camera atmosphere scene shot"
    )
)
"""Beside a look word these add nothing to look for: "warm tones" is warm, "slow camera" is slow."""

Words = tuple[str, ...]
Wish = Annotated[str, Field(min_length=1, max_length=MOST_CHARS)]


class Style(BaseModel):
    """The user_style block as words.

    Attributes:
        likes: wanted words and phrases, lower case.
        dislikes: unwanted ones.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    likes: tuple[Wish, ...] = Field(default=(), max_length=MOST_PHRASES)
    dislikes: tuple[Wish, ...] = Field(default=(), max_length=MOST_PHRASES)

    @classmethod
    def of(cls, likes: Iterable[str], dislikes: Iterable[str] = ()) -> Style:
        """A style from what somebody wrote; bounded, each phrase once; what is both is disliked.

        >>> Style.of(["Warm tones, slow pans; no neon"], ["text overlays"])
        Style(likes=('warm tone', 'slow pan'), dislikes=('neon', 'text overlay'))
        """
        wanted, unwanted = wishes(likes, True), wishes(dislikes, False)
        bad = tuple(dict.fromkeys((*wanted.unwanted, *unwanted.unwanted)))
        good = tuple(wish for wish in wanted.wanted if wish not in bad)
        return cls(likes=good[:MOST_PHRASES], dislikes=bad[:MOST_PHRASES])


NO_STYLE = Style()


def matches(wanted: tuple[str, ...], prompt: str, look: Mapping[str, float]) -> float | None:
    """How much of what is named a clip has, in [0, 1); None when nothing is named.

    ``1 - 2^-m`` with m the sum over the phrases of how far each is met: 0.5 for one met in full, 0.75 for two.
    A phrase whose words stand in the prompt in its order is met in full, else by the square of the share of its words
    that are met; a look word is met by the look where that was measured, else by the prompt.

    >>> matches(("warm tone", "wolf"), "A wolf in the snow", {"warmth": 0.25})
    0.5
    """
    if not wanted:
        return None
    said = words(prompt)
    return 1 - 2 ** -sum(_met(_terms(phrase), said, look) for phrase in wanted)


@cache
def look_words() -> dict[str, tuple[str, int]]:
    """Word -> the look it names (one of ``features.LOOKS``), and 1 if it wants it high, -1 low."""
    rows = (line.partition(":") for line in _DATA.read_text(encoding="utf-8").splitlines() if line[:1] != "#")
    named = [(*kind.split(), word.strip()) for kind, _, listed in rows for word in listed.split(",")]
    return {word: (look, 1 if side == "high" else -1) for look, side, word in named}


def _met(phrase: Words, said: Words, look: Mapping[str, float]) -> float:
    if not any(word in look_words() for word in phrase) and contains(said, phrase):
        return 1.0
    shares = [_word(word, said, look) for word in phrase]
    return (sum(shares) / len(shares)) ** (2 if len(shares) > 1 else 1)


def _word(word: str, said: Words, look: Mapping[str, float]) -> float:
    name, side = look_words().get(word, ("", 0))
    if name in look:
        # A quarter either side of the middle is where clips lie: nothing met below, all above.
        return min(1.0, max(0.0, 0.5 + 2 * side * (look[name] - 0.5)))
    return float(contains(said, (word,)))


@lru_cache(maxsize=1024)
def _terms(phrase: str) -> Words:
    """The words to look for; never empty."""
    found = words(phrase) or (phrase,)
    if not any(word in look_words() for word in found):
        return found
    return tuple(word for word in found if word not in _OF_LOOKS) or found

"""Words of a prompt exchanged, taken out or added, with the rest left to the letter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_EDGES = re.compile(r"\s*,(?:\s*,)+\s*")


def find(prompt: str, phrase: str, protected: Sequence[str] = ()) -> tuple[int, int] | None:
    """Where a phrase stands as whole words, whatever its case; not inside a protected phrase."""
    kept = [span for other in protected if len(other) > len(phrase) for span in _spans(prompt, other)]
    for start, end in _spans(prompt, phrase):
        if not any(low < end and start < high for low, high in kept):
            return start, end
    return None


def exchange(prompt: str, old: Iterable[str], new: str, protected: Sequence[str] = ()) -> str | None:
    """The prompt with the first of the old phrases turned into the new one, and the others taken out.

    None when none of them stands in it.

    >>> exchange("a small white square on a blue background", ["white"], "yellow")
    'a small yellow square on a blue background'
    """
    ordered = sorted(set(old), key=lambda phrase: (-len(phrase), phrase))
    places = [(span, phrase) for phrase in ordered if (span := find(prompt, phrase, protected)) is not None]
    if not places:
        return None
    (start, end), _ = min(places)
    rest = without(prompt[end:], ordered, protected)
    return tidy(f"{prompt[:start]}{new}{rest}")


def without(prompt: str, phrases: Iterable[str], protected: Sequence[str] = ()) -> str:
    """The prompt without these phrases, wherever they stand.

    >>> tidy(without("a fox, dark, low-key lighting, snow", ["dark, low-key lighting"]))
    'a fox, snow'
    """
    for phrase in sorted(set(phrases), key=lambda phrase: (-len(phrase), phrase)):
        while (span := find(prompt, phrase, protected)) is not None:
            prompt = f"{prompt[: span[0]]}{prompt[span[1] :]}"
    return prompt


def added(prompt: str, phrase: str) -> str:
    """The prompt with a phrase at its end.

    >>> added("a fox.", "on the left")
    'a fox, on the left'
    """
    begun = tidy(prompt).rstrip(" .,;")
    return f"{begun}, {phrase}" if begun else phrase


def tidy(prompt: str) -> str:
    """One space between words, one comma between clauses, none at the ends."""
    plain = _EDGES.sub(", ", re.sub(r"[ \t]+", " ", prompt))
    return re.sub(r" +,", ",", plain).strip(" ,")


def _spans(prompt: str, phrase: str) -> list[tuple[int, int]]:
    if not phrase.strip():
        return []
    pattern = rf"(?<!\w){re.escape(phrase)}(?!\w)"
    return [found.span() for found in re.finditer(pattern, prompt, re.IGNORECASE)]

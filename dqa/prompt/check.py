"""What may be a prompt at all."""

from __future__ import annotations

import unicodedata

from dqa.errors import InvalidPrompt

MAX_WORDS = 2000
MAX_CHARS = 20_000


def check_prompt(text: str) -> str:
    """The prompt without surrounding white space, otherwise to the letter.

    >>> check_prompt("  a dark wolf ")
    'a dark wolf'

    Raises:
        InvalidPrompt: empty, over 2000 words or 20,000 characters, or with characters that are not text.
    """
    stripped = text.strip()
    if not any(c.isalnum() for c in stripped):
        raise InvalidPrompt("the prompt is empty", fix="say in words what the clip should show")
    if len(stripped) > MAX_CHARS or len(stripped.split()) > MAX_WORDS:
        raise InvalidPrompt(
            f"the prompt is longer than {MAX_WORDS} words or {MAX_CHARS} characters", fix="shorten it to what matters"
        )
    for character in stripped:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\r\t":
            raise InvalidPrompt(
                f"the prompt holds a character that is not text (U+{ord(character):04X})", fix="remove it"
            )
    return stripped

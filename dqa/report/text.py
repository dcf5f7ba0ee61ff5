"""Text from strangers (prompts, file names, reasons), made safe to show."""

from __future__ import annotations

import unicodedata

_HARMLESS = frozenset("\n\t\u200c\u200d")
"""Line ends, tabs, and the joiners that hold emoji and Indic letters together."""


def clean(text: str) -> str:
    """``text`` with every control, direction-changing or undecodable character spelled out.

    An escape sequence in a file name must not repaint a terminal, and a right-to-left mark must not make
    ``gpj.exe`` read as ``exe.jpg``.

    >>> clean("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(char) for char in text)


def shorten(text: str, limit: int) -> str:
    """The first ``limit`` characters, and how many there are in all when that is more."""
    return text if len(text) <= limit else f"{text[:limit].rstrip()}... ({len(text):,} characters)"


def _visible(char: str) -> str:
    if char in _HARMLESS or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return char
    return char.encode("unicode_escape").decode("ascii")

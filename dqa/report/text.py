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


def columns(text: str) -> int:
    """How many columns ``text`` takes where every letter takes one: wide ones take two, those that join others none.

    >>> columns("wolf"), columns("黑狼"), columns("e\u0301")
    (4, 4, 1)
    """
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def _visible(char: str) -> str:
    if char in _HARMLESS or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return char
    return char.encode("unicode_escape").decode("ascii")

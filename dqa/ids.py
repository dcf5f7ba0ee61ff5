"""Identifiers: a prefix that says what they name, then 26 characters that sort by time."""

from __future__ import annotations

import hashlib
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letters to confuse


def new_id(prefix: str) -> str:
    """A new identifier, e.g. ``ev_01ka...``: 48 bits of milliseconds, then 80 random bits.

    >>> len(new_id("ev"))
    29
    """
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    return f"{prefix}_" + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def user_key(user: str) -> str:
    """A user's name as the name of a folder or file: 32 hexadecimal digits that tell nothing of the name.

    >>> user_key("mira")
    '3c38aafb0579dafe18bb584dce2786cc'
    """
    return hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()[:32]

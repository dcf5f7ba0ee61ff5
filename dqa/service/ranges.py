"""``Range`` headers (RFC 9110, 14): one range, or none."""

from __future__ import annotations

import re

from dqa.errors import DQAError

_ONE = re.compile(r"bytes=\s*(\d{0,19})-(\d{0,19})\s*", re.ASCII)


class RangeRefused(DQAError):
    status = 416
    type = "range-refused"
    title = "That part of the file can't be sent"


def parse_range(header: str | None, size: int) -> range | None:
    """The bytes asked for; None for all of them.

    Several ranges at once are refused, not assembled: no player needs them, and a thousand small ones are an attack.
    What is no range of bytes at all is ignored, as the standard says.

    Raises:
        RangeRefused: more than one range, or none of it lies within the ``size`` bytes.

    >>> parse_range("bytes=2-", 10), parse_range("bytes=-3", 10), parse_range("bytes=0-99", 10)
    (range(2, 10), range(7, 10), range(0, 10))
    """
    if header is None or not header.strip().lower().startswith("bytes="):
        return None
    if "," in header:
        raise RangeRefused("only one range is sent at a time", fix="ask for one")
    found = _ONE.fullmatch(header.strip().lower())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    asked = _suffix(int(last), size) if not first else range(int(first), min(int(last or size), size - 1) + 1)
    if first and last and int(last) < int(first):
        return None  # not a range at all
    if not asked:
        raise RangeRefused("the range lies behind the end of the file", fix=f"the file has {size} bytes")
    return asked


def _suffix(length: int, size: int) -> range:
    return range(max(0, size - length), size)

"""Times as others write them, in the one form that is kept: ISO 8601 in UTC, sortable as text."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_LONGEST = 40
_LATEST_S = 2.0**33
_EARLIEST_MS = 1e11
"""Numbers from here on are milliseconds (1973 and later), as JavaScript's ``Date.now()`` gives them; below
:data:`_LATEST_S` they are seconds. Between the two nothing is believed."""

_NUMBER = re.compile(r"\d{9,13}(?:\.\d{1,9})?", re.ASCII)


def utc(told: str | float) -> str | None:
    """A time in UTC; None for what is none.

    Args:
        told: ISO 8601 (without a zone it is taken for UTC), or seconds or milliseconds since the epoch.

    >>> utc("2026-01-31T12:00:00+05:30"), utc("2026-01-31 12:00"), utc(1769860800000), utc("yesterday")
    ('2026-01-31T06:30:00.000Z', '2026-01-31T12:00:00.000Z', '2026-01-31T12:00:00.000Z', None)
    """
    try:
        moment = _parsed(told)
        return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):  # no such day; a zone that leads out of the calendar
        return None


def seconds(told: str) -> float | None:
    """A time in seconds since the epoch; None for what is none."""
    try:
        moment = _parsed(told)
        return None if moment is None else moment.timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _parsed(told: str | float) -> datetime | None:
    if isinstance(told, str):
        if len(told) > _LONGEST:
            return None
        if not _NUMBER.fullmatch(told.strip()):
            moment = datetime.fromisoformat(told.strip())
            return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
        told = float(told)
    if 0 <= told < _LATEST_S:
        return datetime.fromtimestamp(told, UTC)
    return datetime.fromtimestamp(told / 1000, UTC) if _EARLIEST_MS <= told < 1000 * _LATEST_S else None

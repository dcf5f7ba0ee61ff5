"""Times as others write them: any zone, seconds, milliseconds, none at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.store.moments import seconds, utc
from dqa.store.selections import Selection


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"),
        ("2026-01-31T12:00:00+05:30", "2026-01-31T06:30:00.000Z"),
        ("2026-01-31 12:00", "2026-01-31T12:00:00.000Z"),
        (1769860800, "2026-01-31T12:00:00.000Z"),
        (1769860800123, "2026-01-31T12:00:00.123Z"),
        ("1769860800123", "2026-01-31T12:00:00.123Z"),
        ("yesterday", None),
        ("0001-01-01T00:00+14:00", None),
        ("9" * 41, None),
        (-1, None),
        (1e10, None),
        (1e300, None),
        (float("nan"), None),
    ],
)
def test_a_time_is_kept_in_utc(told: str | float, kept: str | None) -> None:
    assert utc(told) == kept


@given(st.text(max_size=50) | st.floats() | st.integers())
def test_whatever_is_told_is_a_time_or_none(told: str | float) -> None:
    kept = utc(told)
    assert kept is None or seconds(kept) is not None


def test_a_choice_was_made_when_it_says_but_not_after_it_came() -> None:
    said = Selection("u", "t", "a", "b", "a", created="2026-01-31T12:00:00Z")
    assert said.made == 1769860800
    assert Selection("u", "t", "a", "b", "a", created="2099-01-01", received=5.0).made == 5.0
    assert Selection("u", "t", "a", "b", "a", created="junk", received=5.0).made == 5.0
    assert Selection("u", "t", "a", "b", "a", created="junk").made == 0.0

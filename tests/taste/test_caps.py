"""How much a choice may count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.taste.caps import BURST_CAP, BURST_S, PAIR_CAP, caps
from dqa.taste.choice import Choice
from dqa.taste.features import NAMES

NOTHING = np.full(len(NAMES), np.nan)


def choice(clips: tuple[str, str], received: float | None = None, source: str = "http") -> Choice:
    return Choice(NOTHING, NOTHING, "a", clips=clips, received=received, source=source)


@given(st.lists(st.sampled_from([("x", "y"), ("y", "x"), ("x", "z")]), max_size=30))
def test_a_pair_of_clips_counts_three_at_most_in_either_order(clips: list[tuple[str, str]]) -> None:
    weights = caps([choice(pair) for pair in clips])
    for pair in ({"x", "y"}, {"x", "z"}):
        times = [w for w, c in zip(weights, clips, strict=True) if set(c) == pair]
        assert sum(times) == pytest.approx(min(PAIR_CAP, len(times)))


@given(st.lists(st.floats(0, 300), max_size=400), st.integers(1, 3))
def test_no_minute_of_http_counts_more_than_its_cap(times: list[float], often: int) -> None:
    at = sorted(times * often)
    weights = caps([choice((f"a{i}", f"b{i}"), t) for i, t in enumerate(at)])
    for start in at:
        assert sum(w for w, t in zip(weights, at, strict=True) if start <= t < start + BURST_S) <= BURST_CAP + 1e-6
    assert all(0 < w <= 1 for w in weights)


def test_a_flood_is_capped_and_the_people_around_it_are_not() -> None:
    slow = [choice((f"a{i}", f"b{i}"), 10.0 * i) for i in range(50)]
    flood = [choice((f"c{i}", f"d{i}"), 10_000 + 0.01 * i) for i in range(1000)]
    weights = caps([*slow, *flood])
    assert weights[:50] == pytest.approx(1)
    assert sum(weights[50:]) == pytest.approx(BURST_CAP)


def test_imports_and_unknown_clips_are_taken_at_their_word() -> None:
    assert caps([choice(("", ""), 1.0, source="file")] * 500) == pytest.approx(1)
    assert caps([]).shape == (0,)

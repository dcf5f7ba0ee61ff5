from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.clip.timeline import Timeline, sane_rate


def places(rate: float, times: list[float | None]) -> list[float]:
    timeline = Timeline(rate)
    return [timeline.place(time) for time in times]


def test_honest_times_are_kept_from_the_first_on() -> None:
    assert places(10, [5.0, 5.1, 5.3, 9.0]) == pytest.approx([0, 0.1, 0.3, 4.0])
    assert places(10, [-2.0, -1.9, 0.0]) == pytest.approx([0, 0.1, 2.0])


def test_missing_times_follow_the_rate() -> None:
    assert places(10, [None, None, None]) == pytest.approx([0, 0.1, 0.2])
    assert places(0, [None, None]) == pytest.approx([0, 0.04])
    assert places(10, [None, 7.0, 7.1]) == pytest.approx([0, 0.1, 0.2])


def test_one_wrong_time_does_not_delay_the_rest() -> None:
    assert places(10, [0.0, 0.1, 0.05, 0.3, 0.4]) == pytest.approx([0, 0.1, 0.15, 0.3, 0.4])


def test_an_absurd_jump_is_not_believed() -> None:
    assert places(10, [0.0, 1e12]) == pytest.approx([0, 0.1])


@given(st.floats(), st.lists(st.none() | st.floats(-1e18, 1e18), min_size=1, max_size=50))
def test_times_start_at_zero_and_always_increase(rate: float, times: list[float | None]) -> None:
    placed = places(rate, times)
    assert placed[0] == 0.0
    assert all(a < b for a, b in itertools.pairwise(placed))
    assert all(math.isfinite(time) for time in placed)


@pytest.mark.parametrize("rate", [None, 0, -1, math.nan, math.inf, 1e9, 1e-300])
def test_rates_beyond_belief_are_none(rate: float | None) -> None:
    assert sane_rate(rate) == 0.0
    assert sane_rate(23.976) == 23.976

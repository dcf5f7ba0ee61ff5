"""VBench's normalisation: its table, its means, and what is never called a total."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.channels.benchmark.vbench.leaderboard import LEADERBOARD, QUALITY, normalised, standing, total

UNIT = st.floats(0, 1)
VALUES = st.fixed_dictionaries({name: UNIT for name in LEADERBOARD})


def test_the_table_is_whole() -> None:
    assert len(LEADERBOARD) == 16
    assert len(QUALITY) == 7
    weights = {
        part: sum(row.weight for row in LEADERBOARD.values() if row.part == part) for part in ("quality", "semantic")
    }
    assert weights == {"quality": 6.5, "semantic": 9.0}


@given(VALUES)
def test_the_total_is_four_fifths_quality(values: dict[str, float]) -> None:
    stretched = {n: r.weight * (values[n] - r.low) / (r.high - r.low) for n, r in LEADERBOARD.items()}
    quality = sum(v for n, v in stretched.items() if n in QUALITY) / 6.5
    semantic = sum(v for n, v in stretched.items() if n not in QUALITY) / 9
    assert total(values) == pytest.approx((4 * quality + semantic) / 5, abs=1e-9)


@given(VALUES, st.sampled_from(sorted(LEADERBOARD)))
def test_without_one_dimension_there_is_no_total(values: dict[str, float], lost: str) -> None:
    del values[lost]
    assert total(values) is None
    board = standing(values, LEADERBOARD[lost].part)
    assert board.missing == (lost,)
    assert not board.complete
    assert board.weight == board.of - LEADERBOARD[lost].weight


def test_the_ends_become_nought_and_one_and_nothing_is_clipped() -> None:
    for name, row in LEADERBOARD.items():
        assert normalised(name, row.low) == pytest.approx(0)
        assert normalised(name, row.high) == pytest.approx(1)
    assert normalised("subject_consistency", 0.0) < 0


def test_of_nothing_there_is_no_mean() -> None:
    assert standing({}).mean is None
    assert standing({"dynamic_degree": 1.0}).mean == 1.0

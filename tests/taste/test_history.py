"""Historical success: like follows like, nothing near is even, and no choice ever sees itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqa.taste.history import NEWEST, History, replay
from tests.counting import calls

RNG = np.random.default_rng(0)
LIKED, LOATHED = RNG.normal(size=16), RNG.normal(size=16)


def near(centre: np.ndarray, seed: int) -> list[float]:
    return list(centre + 0.3 * np.random.default_rng(seed).normal(size=16))


def taught() -> History:
    return History().remember([(near(LIKED, i), 1.0) for i in range(8)] + [(near(LOATHED, i), 0.0) for i in range(8)])


def test_like_follows_like() -> None:
    good, bad = taught().success(near(LIKED, 99)), taught().success(near(LOATHED, 99))
    assert good is not None
    assert bad is not None
    assert bad < 0.25 < 0.75 < good


def test_with_nothing_near_it_is_even() -> None:
    assert taught().success(list(-LIKED - LOATHED)) == pytest.approx(0.5, abs=0.01)


def test_without_an_embedding_or_a_history_there_is_none() -> None:
    assert History().success([1.0] * 16) is None
    assert taught().success(None) is None


def test_it_is_bounded_to_the_newest() -> None:
    full = History().remember((near(LIKED, i), float(i % 2)) for i in range(NEWEST + 50))
    assert len(full.clips) == NEWEST
    assert full.clips[-1].embedding == tuple(near(LIKED, NEWEST + 49))
    assert History.model_validate_json(full.model_dump_json()) == full
    assert len(full.model_dump_json()) < 100_000


def log(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2, 16)), rng.choice([1.0, 0.0, 0.5], n)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 110), st.integers(0, 99))
def test_replaying_is_asking_before_each_choice(n: int, seed: int) -> None:
    shown, outcomes = log(n, seed)
    shown[::7, 1] = np.nan
    found, last = replay(shown, outcomes, "m")
    history = History(model="m")
    for i in range(n):
        known = [np.isfinite(row).all() for row in shown[i]]
        slow = [history.success(row) if ok else None for row, ok in zip(shown[i], known, strict=True)]
        assert np.allclose(found[i], [np.nan if s is None else s for s in slow], equal_nan=True)
        ends = ((row, end) for row, end in zip(shown[i], (outcomes[i], 1 - outcomes[i]), strict=True))
        history = history.remember([end for end, ok in zip(ends, known, strict=True) if ok])
    assert last == history


def test_no_choice_sees_itself_or_a_later_one() -> None:
    shown, outcomes = log(60)
    before, _ = replay(shown, outcomes)
    turned = outcomes.copy()
    turned[30:] = 1 - turned[30:]
    after, _ = replay(shown, turned)
    assert np.array_equal(before[:31], after[:31], equal_nan=True)
    assert not np.allclose(before[31:], after[31:])


def test_work_grows_no_faster_than_the_log() -> None:
    few, many = log(100), log(1000)
    assert calls(lambda: replay(*many)) < 15 * calls(lambda: replay(*few)), "ten times the log"

"""Refinements: kept once, each user's own, and figures that never stand without their count."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.errors import Conflict, InputError, RecordNotFound
from dqa.store import Store
from dqa.store.keys import IdempotencyKey
from dqa.store.refinement_figures import Run, figures

NUMBERS = itertools.count()  # ids sort by time only if they are not of one millisecond


def refined(user: str = "mira", outcome: str = "accepted", cycles: int = 1, **more: Any) -> dict[str, Any]:
    tried = [{"attempt": n + 1, "prompt": "a wolf", "evaluation": f"ev_{n}", "grade": "B"} for n in range(cycles)]
    return {
        "schema": "dqa.refinement/1",
        "id": f"rf_{next(NUMBERS):026}",
        "created": "2026-01-01T00:00:00.000Z",
        "brief": f"a wolf for {user}",
        "user": user,
        "profile": "embedded",
        "outcome": outcome,
        "cycles": tried,
        "accepted": f"ev_{cycles - 1}" if outcome == "accepted" else None,
        **more,
    }


def test_a_record_is_kept_once_and_comes_back_as_it_was(store: Store) -> None:
    record = refined(note="“é” \u0000")
    assert store.refinements.save(record)
    assert not store.refinements.save(dict(record))
    assert store.refinements.get(record["id"]) == record
    with pytest.raises(Conflict, match="another refinement"):
        store.refinements.save({**record, "brief": "another"})
    assert store.refinements.get(record["id"]) == record
    with pytest.raises(RecordNotFound):
        store.refinements.get("rf_none")


def test_a_key_stands_for_one_content(store: Store) -> None:
    record = refined()
    key = IdempotencyKey("k", "refinements", "a" * 64)
    assert store.refinements.save(record, key)
    assert not store.refinements.save(record, key)
    assert store.refinements.recall(key) == record["id"]
    with pytest.raises(Conflict, match="Idempotency-Key"):
        store.refinements.save(refined(), IdempotencyKey("k", "refinements", "b" * 64))
    assert len(store.refinements.listed("mira")) == 1


@pytest.mark.parametrize("field", ["id", "created", "user", "profile", "outcome", "cycles"])
def test_what_lacks_a_field_is_refused(store: Store, field: str) -> None:
    with pytest.raises(InputError, match=field):
        store.refinements.save({**refined(), field: None})
    assert store.refinements.listed("mira") == []


def test_an_outcome_that_is_none_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match="outcome"):
        store.refinements.save(refined(outcome="good"))


def test_each_user_sees_their_own_newest_first_page_by_page(store: Store) -> None:
    mine = [refined("mira") for _ in range(5)]
    for record in [*mine, refined("noor", "exhausted", 4)]:
        store.refinements.save(record)
    newest = sorted((record["id"] for record in mine), reverse=True)
    page = [record["id"] for record in store.refinements.listed("mira", 3)]
    assert page + [record["id"] for record in store.refinements.listed("mira", 3, page[-1])] == newest
    assert store.refinements.figures("mira", 10).all is not None
    assert store.refinements.figures("nobody", 10).all is None
    own = store.refinements.figures("noor", 10).all
    assert own is not None
    assert (own.runs, own.exhausted, own.cycles) == (1, 1, None)


def test_figures_over_time_show_that_cycles_went_down(store: Store) -> None:
    for cycles in [3, 2, 3, 2, 1, 2, 1, 1]:
        store.refinements.save(refined(cycles=cycles))
    told = store.refinements.figures("mira", 4)
    assert [window.cycles.value for window in told.windows if window.cycles] == [2.5, 1.25]
    first = told.windows[0].cycles
    assert first is not None
    assert first.low is not None
    assert first.high is not None
    # t(0.95, 3) = 2.3534 (tables), s = 0.57735, n = 4
    assert first.high - 2.5 == pytest.approx(2.3534 * 0.57735 / 2, rel=1e-3)
    assert 2.5 - first.low == pytest.approx(first.high - 2.5)


RUNS = st.lists(
    st.tuples(st.sampled_from(["accepted", "review", "exhausted", "failed"]), st.integers(1, 6)), max_size=60
)


@given(RUNS, st.integers(1, 20))
def test_every_run_is_counted_once_and_no_figure_lacks_its_n(drawn: list[tuple[str, int]], window: int) -> None:
    told = figures([Run("now", outcome, cycles) for outcome, cycles in drawn], window)
    assert sum(part.runs for part in told.windows) == len(drawn)
    assert (told.all is None) == (not drawn)
    for part in [*told.windows, *([told.all] if told.all else [])]:
        assert part.accepted + part.review + part.exhausted + part.failed == part.runs
        assert (part.share is None) == (part.runs == part.failed)
        assert (part.cycles is None) == (part.accepted == 0)
        if part.share is not None:
            assert part.share.n == part.runs - part.failed
            assert 0 <= part.share.low <= part.share.value <= part.share.high <= 1
        if part.cycles is not None:
            assert part.cycles.n == part.accepted
            if part.cycles.low is not None and part.cycles.high is not None:
                assert 1 <= part.cycles.low <= part.cycles.value <= part.cycles.high

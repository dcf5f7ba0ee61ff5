"""Trainings as rows: one at a time, ended once, given back when their runner dies; and honest rewards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from dqa.store import Store
from dqa.store.trainings import MAX_ATTEMPTS


def test_one_at_a_time_for_a_user_and_profile(store: Store) -> None:
    rows = store.trainings
    first, new = rows.queue("mira", "embedded", {"until": 3})
    assert new
    assert rows.queue("mira", "embedded", {"until": 4}) == (first, False)
    assert rows.queue("mira", "rtx3090", {})[1]
    assert rows.queue("ana", "embedded", {})[1]
    taken = rows.lease("me", first.id)
    assert taken is not None
    assert taken.status == "running"
    assert rows.queue("mira", "embedded", {}) == (taken, False)
    assert rows.end(first.id, "me", "refused", {"reason": "no"})
    again, new = rows.queue("mira", "embedded", {})
    assert new
    assert again.id != first.id
    latest = rows.latest("mira", "embedded", "done", "refused")
    assert latest is not None
    assert latest.outcome == {"reason": "no"}


def test_two_runners_never_get_the_same(store: Store) -> None:
    for user in range(4):
        store.trainings.queue(f"u{user}", "embedded", {})
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda n: store.trainings.lease(f"owner {n}"), range(8)))
    ids = [t.id for t in taken if t is not None]
    assert len(ids) == len(set(ids)) == 4


def test_only_the_holder_writes_and_hears(store: Store) -> None:
    rows = store.trainings
    asked, _ = rows.queue("mira", "embedded", {})
    rows.lease("me")
    assert rows.tell(asked.id, "me", {"step": 3, "of": 40}) == "held"
    assert rows.tell(asked.id, "other", {"step": 9}) == "lost"
    assert not rows.end(asked.id, "other", "done", {})
    found = rows.get(asked.id)
    assert found is not None
    assert found.progress == {"attempts": 1, "step": 3, "of": 40}
    rows.ask_to_cancel("mira", "embedded")
    assert rows.tell(asked.id, "me", {}) == "cancel"
    assert rows.end(asked.id, "me", "cancelled", {"reason": "cancelled"})
    assert rows.tell(asked.id, "me", {}) == "lost"


def test_a_waiting_one_is_cancelled_at_once(store: Store) -> None:
    store.trainings.queue("mira", "embedded", {})
    found = store.trainings.ask_to_cancel("mira", "embedded")
    assert found is not None
    assert (found.status, found.active) == ("cancelled", False)
    assert store.trainings.ask_to_cancel("mira", "embedded") is None
    assert store.trainings.lease("me") is None


def test_what_the_dead_held_is_queued_again_but_not_for_ever(store: Store) -> None:
    rows = store.trainings
    asked, _ = rows.queue("mira", "embedded", {})
    for attempt in range(1, MAX_ATTEMPTS + 1):
        taken = rows.lease("dead")
        assert taken is not None
        assert taken.progress["attempts"] == attempt
        assert rows.release_lost(lambda owner: owner == "alive") == []
        assert rows.release_lost(lambda owner: owner == "dead") == [asked.id]
    found = rows.get(asked.id)
    assert found is not None
    assert found.status == "failed"
    assert found.outcome is not None


def test_being_stopped_on_purpose_is_no_attempt_and_a_cancelled_one_stays_so(store: Store) -> None:
    rows = store.trainings
    asked, _ = rows.queue("mira", "embedded", {})
    for _ in range(2 * MAX_ATTEMPTS):
        assert rows.lease("me") is not None
        assert rows.release("me", blameless=True) == [asked.id]
    rows.lease("me")
    rows.ask_to_cancel("mira", "embedded")
    rows.release("me")
    found = rows.get(asked.id)
    assert found is not None
    assert found.status == "cancelled"


@pytest.mark.parametrize("until", [None, 5])
def test_without_choices_there_is_nothing_to_learn(store: Store, until: int | None) -> None:
    assert store.trainings.choices("mira", "embedded", until) == []
    assert store.trainings.newest_clips("mira", "embedded") == []
    assert store.trainings.evidence("mira", "embedded") is None

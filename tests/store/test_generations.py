"""Generations: each ends once, whoever dies; a clip that was made is kept as long as something needs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dqa.errors import Busy, Conflict
from dqa.ids import new_id
from dqa.store import Store
from dqa.store.keys import IdempotencyKey
from tests.store.world import upload


def ask(store: Store, user: str = "mira", key: IdempotencyKey | None = None) -> str:
    return store.generations.add(new_id("gen"), user, {"prompt": "a wolf"}, 3, key)[0]


def test_they_are_taken_in_their_order_each_by_one_runner(store: Store) -> None:
    ids = sorted(ask(store) for _ in range(2))
    taken = [store.generations.take(owner) for owner in ("one", "two")]
    assert [each.id for each in taken if each] == ids
    assert store.generations.take("three") is None
    assert len({each.run for each in taken if each}) == 2


def test_the_queue_has_an_end_and_a_key_asks_once(store: Store) -> None:
    key = IdempotencyKey("k", "generations", "a" * 64)
    first = ask(store, key=key)
    assert ask(store, key=key) == first
    with pytest.raises(Conflict):
        ask(store, key=IdempotencyKey("k", "generations", "b" * 64))
    ask(store)
    ask(store)
    with pytest.raises(Busy, match="3 clips wait"):
        ask(store)


def test_who_lost_it_can_change_nothing_any_more(store: Store) -> None:
    gen = ask(store)
    held = store.generations.take("dead")
    assert held is not None
    assert store.generations.submitting(gen, "dead")
    assert store.generations.release_lost(lambda owner: owner == "dead") == [gen]
    again = store.generations.take("next")
    assert again is not None
    assert (again.run, again.submitted) == (held.run, True), "the same run is looked for at the generator"
    assert not store.generations.fail(gen, "dead", {"detail": "late"})
    assert store.generations.cancelled(gen, "next")
    assert not store.generations.complete(gen, "next", "md_1")


def test_cancelling_ends_a_waiting_one_and_asks_of_a_running_one(store: Store) -> None:
    waiting = ask(store)
    assert store.generations.ask_to_cancel(waiting) == "queued"
    running = ask(store)
    assert store.generations.take("me") is not None
    assert not store.generations.cancelling(running)
    assert store.generations.ask_to_cancel(running) == "running"
    assert store.generations.cancelling(running)
    assert not store.generations.submitting(running, "me"), "not asked of the generator after that"
    with pytest.raises(Conflict):
        store.generations.delete(running)
    assert store.generations.ask_to_cancel("gen_none") is None


def test_a_clip_stays_while_its_generation_does(store: Store) -> None:
    media_id, _ = upload(store, b"a clip", "made.mp4")
    gens = [ask(store) for _ in range(2)]
    for gen in gens:
        assert store.generations.take("me") is not None
        assert store.generations.complete(gen, "me", media_id)
    path = store.media.get(media_id).path
    store.generations.delete(gens[0])
    assert path.is_file()
    store.generations.delete(gens[1])
    assert not path.exists()
    assert list(Path(store.media.folder).iterdir()) == []


def test_a_user_who_goes_takes_the_clips_made_along(store: Store) -> None:
    media_id, sha256 = upload(store, b"a clip", "made.mp4")
    gen = ask(store, "noor")
    assert store.generations.take("me") is not None
    with pytest.raises(Conflict, match="being generated"):
        store.users.delete("noor")
    assert store.generations.complete(gen, "me", media_id)
    assert [clip["sha256"] for clip in store.users.export("noor")["media"]] == [sha256]  # type: ignore[index, call-overload, union-attr]
    removed = store.users.delete("noor")
    assert (removed.counts["generations"], removed.counts["media"]) == (1, 1)
    assert store.generations.get(gen) is None

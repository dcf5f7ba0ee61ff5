"""Jobs: each ends exactly once, and nobody but the holder of the lease can end it."""

from __future__ import annotations

import threading

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dqa.config import Settings
from dqa.errors import Busy, Conflict, MediaNotFound, RecordNotFound
from dqa.ids import new_id
from dqa.store import NewJob, Store
from dqa.store.jobs import ENDED, MAX_ATTEMPTS, Problem
from dqa.store.keys import IdempotencyKey
from dqa.testing import scripted_record

PROBLEM: Problem = {"type": "urn:dqa:problem:worker-died", "title": "t", "status": 503, "detail": "d"}


def add(store: Store, **more: object) -> str:
    return store.jobs.add(NewJob(new_id("ev"), "u", "embedded", {"prompt": "p"}), 100, **more)[0]  # type: ignore[arg-type]


def kinds(store: Store, job: str) -> list[str]:
    return [event.kind for event in store.jobs.events(0, job)]


def state(store: Store, job: str) -> str:
    found = store.jobs.get(job)
    assert found is not None
    return found.status


def test_oldest_first_and_each_to_one_runner(store: Store) -> None:
    ids = sorted(add(store) for _ in range(3))
    leased = [store.jobs.lease(f"w{n}", 10) for n in range(4)]
    assert [job.id for job in leased if job] == ids
    assert leased[3] is None
    assert leased[0] is not None
    assert leased[0].request == {"prompt": "p"}


def test_a_calibration_waits_its_turn_and_leaves_its_report_with_the_user(store: Store) -> None:
    first = add(store)
    asked = {"calibration": "describe", "media": "md_1", "axes": ["hair"], "profile": "embedded"}
    second = store.jobs.add(NewJob(new_id("cal"), "u", "embedded", {**asked, "reference": {"path": "/secret"}}), 100)[0]
    assert [job.id for job in (store.jobs.lease("w", 10), store.jobs.lease("w", 10)) if job] == [first, second]
    assert store.jobs.report(second) is None
    assert not store.jobs.answer(second, "another", {"id": second})
    assert store.jobs.answer(second, "w", {"id": second, "mode": "describe"})
    assert store.jobs.report(second) == {"id": second, "mode": "describe"}
    told = {job["id"]: job for job in store.users.export("u")["jobs"]}
    assert told[second]["report"] == {"id": second, "mode": "describe"}
    assert told[second]["request"]["axes"] == ["hair"]
    assert "secret" not in str(told)
    store.delete(second)
    assert store.jobs.report(second) is None


def test_many_runners_at_once_never_share_a_job(store: Store) -> None:
    ids = {add(store) for _ in range(40)}
    got: list[str] = []

    def run(owner: str) -> None:
        while (job := store.jobs.lease(owner, 10)) is not None:
            got.append(job.id)

    threads = [threading.Thread(target=run, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # An empty look may come between two others' writes, so a few can be left: none is given twice.
    assert len(got) == len(set(got))
    assert set(got) | {job.id for n in range(40) if (job := store.jobs.lease("last", 10))} == ids


def test_the_record_and_the_end_are_one(store: Store) -> None:
    job = add(store)
    store.jobs.lease("w", 10)
    assert not store.jobs.complete(job, "stranger", scripted_record(job), "/clip")
    with pytest.raises(RecordNotFound):
        store.get_record(job)
    assert store.jobs.complete(job, "w", scripted_record(job), "/clip")
    assert store.get_record(job).id == job
    assert not store.jobs.complete(job, "w", scripted_record(job), "/clip"), "once"
    assert not store.jobs.fail(job, "w", PROBLEM)
    assert kinds(store, job) == ["queued", "running", "done"]


def test_lost_once_it_is_tried_again_lost_twice_it_fails_with_the_reason(store: Store) -> None:
    job = add(store)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        leased = store.jobs.lease("w", 10)
        assert leased is not None
        assert leased.attempts == attempt
        assert store.jobs.release("w", PROBLEM) == [job]
    found = store.jobs.get(job)
    assert found is not None
    assert (found.status, found.error) == ("failed", PROBLEM)
    assert kinds(store, job) == ["queued", "running", "requeued", "running", "failed"]


def test_a_stop_on_purpose_costs_no_attempt(store: Store) -> None:
    add(store)
    for _ in range(5):
        assert store.jobs.lease("w", 10) is not None
        store.jobs.release("w", PROBLEM, blameless=True)
    leased = store.jobs.lease("w", 10)
    assert leased is not None
    assert leased.attempts == 1


def test_a_lease_that_ran_out_or_whose_owner_is_gone_is_taken_back(store: Store) -> None:
    first, second, third = add(store), add(store), add(store)
    store.jobs.lease("out", -1)
    store.jobs.lease("dead", 60)
    store.jobs.lease("alive", 60)
    assert set(store.jobs.release_lost(lambda owner: owner == "dead", PROBLEM)) == {first, second}
    assert [state(store, job) for job in (first, second, third)] == ["queued", "queued", "running"]


def test_who_lost_the_lease_can_change_nothing(store: Store) -> None:
    job = add(store)
    store.jobs.lease("slow", -1)
    store.jobs.release_lost(lambda _: False, PROBLEM)
    store.jobs.lease("quick", 10)
    assert store.jobs.renew(job, "slow", 10) == "lost"
    assert not store.jobs.complete(job, "slow", scripted_record(job), "/clip")
    store.jobs.progress(job, "slow", "decode", 0.5)
    assert "progress" not in kinds(store, job)
    assert store.jobs.complete(job, "quick", scripted_record(job), "/clip")


def test_cancelling(store: Store) -> None:
    waiting, running = add(store), add(store)
    assert store.jobs.lease("w", 10) is not None  # the older: `waiting` has the smaller id only by chance
    held = next(job for job in (waiting, running) if state(store, job) == "running")
    other = waiting if held == running else running
    assert store.jobs.ask_to_cancel(other) == "queued"
    assert state(store, other) == "cancelled"
    assert store.jobs.renew(held, "w", 10) == "held"
    assert store.jobs.ask_to_cancel(held) == "running"
    assert store.jobs.renew(held, "w", 10) == "cancel"
    assert store.jobs.overdue(["w"], 600, grace_s=-1) == [(held, "w", True)]
    assert store.jobs.overdue(["w"], 600, grace_s=60) == []
    store.jobs.release("w", PROBLEM)
    assert state(store, held) == "cancelled", "a cancelled job is not tried again"
    assert store.jobs.ask_to_cancel("ev_unknown") is None
    with pytest.raises(RecordNotFound):
        store.delete("ev_unknown")


def test_an_ended_job_can_be_deleted_and_a_running_one_not(store: Store) -> None:
    job = add(store)
    store.jobs.lease("w", 10)
    with pytest.raises(Conflict):
        store.delete(job)
    store.jobs.fail(job, "w", PROBLEM)
    store.delete(job)
    assert store.jobs.get(job) is None
    assert kinds(store, job) == []


def test_overdue_by_time(store: Store) -> None:
    job = add(store)
    store.jobs.lease("w", 10)
    assert store.jobs.overdue(["w"], -1, 3) == [(job, "w", False)]
    assert store.jobs.overdue(["other"], -1, 3) == []


def test_the_queue_is_bounded(store: Store) -> None:
    for _ in range(3):
        store.jobs.add(NewJob(new_id("ev"), "u", "embedded", {}), 3)
    with pytest.raises(Busy):
        store.jobs.add(NewJob(new_id("ev"), "u", "embedded", {}), 3)
    assert store.jobs.count("queued") == 3


def test_a_key_makes_one_job(store: Store) -> None:
    key = IdempotencyKey("k", "evaluations", "a" * 64)
    first = add(store, key=key)
    assert add(store, key=key) == first
    assert store.jobs.recall(key) == first
    assert store.jobs.count("queued") == 1
    with pytest.raises(Conflict):
        add(store, key=IdempotencyKey("k", "evaluations", "b" * 64))
    assert add(store, key=IdempotencyKey("k", "other", "b" * 64)) != first


def test_a_job_for_media_that_is_gone_is_refused(store: Store) -> None:
    with pytest.raises(MediaNotFound):
        store.jobs.add(NewJob(new_id("ev"), "u", "embedded", {}, "md_gone"), 3)


def test_hopeless_jobs_end_with_the_reason(store: Store) -> None:
    job = add(store)
    store.jobs.fail_queued(PROBLEM)
    found = store.jobs.get(job)
    assert found is not None
    assert found.error == PROBLEM


def test_old_progress_is_forgotten_and_the_end_is_not(store: Store) -> None:
    job = add(store)
    store.jobs.lease("w", 10)
    store.jobs.progress(job, "w", "decode", 0.5)
    store.jobs.fail(job, "w", PROBLEM)
    store.jobs.forget_old(-1)
    assert kinds(store, job) == ["queued", "running", "failed"]


class JobLife(RuleBasedStateMachine):
    """Any order of adding, leasing, dying, cancelling and ending: no job ends twice, none is lost."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile
        from pathlib import Path

        self.folder = tempfile.TemporaryDirectory()
        self.store = Store.open(Settings(home=Path(self.folder.name)))
        self.jobs: list[str] = []
        self.held: dict[str, str] = {}

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule()
    def ask(self) -> None:
        self.jobs.append(add(self.store))

    @rule(owner=st.sampled_from(["w1", "w2"]))
    def take(self, owner: str) -> None:
        if owner not in self.held and (job := self.store.jobs.lease(owner, 60)):
            assert job.id not in self.held.values()
            self.held[owner] = job.id

    @precondition(lambda self: self.held)
    @rule(data=st.data(), how=st.sampled_from(["done", "failed", "die", "stop"]))
    def end(self, data: st.DataObject, how: str) -> None:
        owner = data.draw(st.sampled_from(sorted(self.held)))
        job = self.held.pop(owner)
        if how == "done":
            assert self.store.jobs.complete(job, owner, scripted_record(job), "/clip")
        elif how == "failed":
            assert self.store.jobs.fail(job, owner, PROBLEM)
        else:
            assert self.store.jobs.release(owner, PROBLEM, blameless=how == "stop") == [job]

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.store.jobs.ask_to_cancel(data.draw(st.sampled_from(self.jobs)))

    @invariant()
    def each_is_in_one_state_and_ended_at_most_once(self) -> None:
        for job in self.jobs:
            ends = [kind for kind in kinds(self.store, job) if kind in ENDED]
            now = state(self.store, job)
            assert ends == ([now] if now in ENDED else [])
            assert (now == "running") == (job in self.held.values())


JobLife.TestCase.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestJobLife = JobLife.TestCase

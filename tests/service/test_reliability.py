"""What dies, and when: every job still ends exactly once. $DQA_TEST_KILLS sets how often (default 8)."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import psutil
import pytest

from dqa.config import Settings
from dqa.store import Store
from tests.service.running import RunningService, running, wait_until

KILLS = int(os.environ.get("DQA_TEST_KILLS", "8"))


def ends(home: Path) -> dict[str, list[str]]:
    """How each job ended, from the store itself."""
    store = Store.open(Settings(home=home))
    found: dict[str, list[str]] = {}
    for event in store.jobs.events(0, limit=10**6):
        found.setdefault(event.job, [])
        if event.kind in ("done", "failed", "cancelled"):
            found[event.job].append(event.kind)
    store.close()
    return found


def test_a_killed_worker_costs_an_attempt_and_the_job_is_done_by_the_next(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        name = service.ask(service.upload(), "a wolf sleep:1").json()["id"]
        wait_until(lambda: service.state(name) == "running", 90)
        service.workers()[0].kill()
        assert service.ended(name)["grade"] == "B+"
        kinds = [kind for _, kind, _ in service.events(name) if kind != "progress"]
        assert kinds == ["queued", "running", "requeued", "running", "done"]
        told = ("dqa_worker_restarts_total 1.0", 'dqa_jobs_total{outcome="done"} 1.0')
        wait_until(lambda: all(line in service.client.get("/metrics").text for line in told), 60)


def test_a_clip_that_kills_every_worker_fails_with_the_reason(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        media = service.upload()
        found = service.ended(service.ask(media, "a wolf kill").json()["id"])
        assert found["error"]["type"] == "urn:dqa:problem:worker-died"
        assert service.ask(media, "a wolf", wait=True).status_code == 200


@pytest.mark.slow
@pytest.mark.timeout(60 + 15 * KILLS)
def test_workers_killed_again_and_again(tmp_path: Path) -> None:
    chance = random.Random(0)
    with running(tmp_path / "home", workers=2, queue_size=1000) as service:
        media = service.upload()
        names: list[str] = []
        for number in range(KILLS):
            names += [service.ask(media, f"a wolf sleep:0.3 {number} {n}").json()["id"] for n in range(2)]
            time.sleep(chance.uniform(0, 0.4))
            for worker in service.workers()[:1]:
                worker.send_signal(signal.SIGKILL)
            wait_until(lambda: service.client.get("/readyz").status_code == 200, 90)
        for name in names:
            service.ended(name)
        assert service.client.get("/healthz").status_code == 200
        found = ends(tmp_path / "home")
        assert found.keys() == set(names)
        assert all(len(kinds) == 1 for kinds in found.values()), found


@pytest.mark.slow
@pytest.mark.timeout(60 + 30 * KILLS)
def test_the_service_killed_again_and_again(tmp_path: Path) -> None:
    chance = random.Random(1)
    service = RunningService(tmp_path / "home", queue_size=1000).start()
    media = service.upload()
    names: list[str] = []
    try:
        for number in range(max(3, KILLS // 2)):
            names += [service.ask(media, f"a wolf sleep:0.3 {number} {n}").json()["id"] for n in range(2)]
            time.sleep(chance.uniform(0, 0.8))
            workers = service.workers()
            service.kill()
            psutil.wait_procs(workers, timeout=60)
            assert not [w for w in workers if w.is_running() and w.status() != psutil.STATUS_ZOMBIE], "they die with it"
            service.start()
        for name in names:
            service.ended(name)
        found = ends(tmp_path / "home")
        assert found.keys() == set(names)
        assert all(len(kinds) == 1 for kinds in found.values()), found
    finally:
        service.stop()


def test_an_orderly_stop_puts_the_job_back_and_a_restart_does_it(tmp_path: Path) -> None:
    service = RunningService(tmp_path / "home").start()
    try:
        name = service.ask(service.upload(), "a wolf sleep:2").json()["id"]
        wait_until(lambda: service.state(name) == "running", 90)
        workers = service.workers()
        began = time.monotonic()
        assert service.terminate() == 0
        assert time.monotonic() - began < 60
        assert not [w for w in workers if w.is_running()]
        service.start()
        assert service.ended(name)["grade"] == "B+"
        runs = [data["attempt"] for _, kind, data in service.events(name) if kind == "running"]
        assert runs == [1, 1], "a stop on purpose costs no attempt"
    finally:
        service.stop()


def test_a_stop_ends_streams_and_waiting_requests(tmp_path: Path) -> None:
    import threading

    with running(tmp_path / "home") as service:
        media = service.upload()
        statuses: list[int] = []
        waiting = threading.Thread(
            target=lambda: statuses.append(service.ask(media, "a wolf sleep:250", wait=True).status_code)
        )
        waiting.start()
        wait_until(lambda: bool(ends(tmp_path / "home")), 60)  # the job is there
        time.sleep(0.5)  # and its asker waits, though it need not
        began = time.monotonic()
        assert service.terminate() == 0
        waiting.join()
        assert statuses == [202]
        assert time.monotonic() - began < 200, "it did not wait for the verdict"


def test_not_ready_while_models_load(tmp_path: Path) -> None:
    (tmp_path / "home" / "slow-models").mkdir(parents=True)
    with running(tmp_path / "home", ready=False) as service:
        answer = service.client.get("/readyz")
        assert answer.status_code == 503
        assert "loading" in answer.json()["detail"]
        assert service.client.get("/healthz").status_code == 200
        wait_until(lambda: service.client.get("/readyz").status_code == 200, 90)


@pytest.mark.slow
def test_models_that_cannot_load_are_named_and_end_what_waits(tmp_path: Path) -> None:
    (tmp_path / "home" / "no-models").mkdir(parents=True)
    (tmp_path / "home" / "slow-models").mkdir()
    with running(tmp_path / "home", ready=False) as service:
        name = service.ask(service.upload(), "a wolf").json()["id"]
        found = service.ended(name, 120)
        assert found["error"]["type"] == "urn:dqa:problem:model-unavailable"
        ready = service.client.get("/readyz")
        assert (ready.status_code, ready.json()["type"]) == (503, "urn:dqa:problem:model-unavailable")
        refused = service.ask(service.upload(), "a wolf")
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:dqa:problem:model-unavailable")
        (tmp_path / "home" / "no-models").rmdir()
        wait_until(lambda: service.client.get("/readyz").status_code == 200, 120)

"""An evaluation and a training never use the device at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from dqa.config import Settings
from dqa.errors import Cancelled
from dqa.evaluator import Evaluator
from dqa.models import device
from dqa.service.lease import Lease
from dqa.store import Store
from dqa.store.jobs import NewJob
from tests.conftest import real_clips


def test_an_evaluation_waits_for_a_training_says_so_and_can_be_cancelled(tmp_path: Path) -> None:
    clip = real_clips()[0]
    evaluator = Evaluator(Settings(home=tmp_path))
    stages: list[str] = []

    def progress(stage: str, _share: float) -> None:
        stages.append(stage)
        if stages.count(device.WAITING) == 2:
            raise Cancelled("enough", fix="")

    with device.alone(tmp_path), pytest.raises(Cancelled):
        evaluator.run(clip.path, clip.prompt, channels=["benchmark"], progress=progress)
    assert stages[-2:] == [device.WAITING] * 2

    seen = threading.Event()
    training = device.alone(tmp_path)
    training.__enter__()

    def end_the_training(stage: str, _share: float) -> None:
        if stage == device.WAITING and not seen.is_set():
            seen.set()
            training.__exit__(None, None, None)

    assert evaluator.run(clip.path, clip.prompt, channels=["benchmark"], progress=end_the_training).record.channels
    assert seen.is_set()


def test_the_time_it_waits_is_not_the_jobs_own(tmp_path: Path) -> None:
    store = Store.open(Settings(home=tmp_path))
    store.jobs.add(NewJob("ev_1", "mira", "embedded", {}), queue_size=1)
    job = store.jobs.lease("me", 60)
    assert job is not None
    time.sleep(0.3)
    with Lease(store.jobs, job.id, "me") as lease:
        assert store.jobs.overdue(["me"], 0.25, 60)
        lease.progress(device.WAITING, 0.4)
        assert not store.jobs.overdue(["me"], 0.25, 60)

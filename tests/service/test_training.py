"""The service's schedule: trains what is due after a step, runs what waits, and stops at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from dqa.config import Settings
from dqa.service import training as module
from dqa.service.training import TrainingSchedule
from dqa.store import Store
from dqa.training.trainer import Due, Trainer
from tests.store.test_choices import fill


class Scripted:
    """Stands in for a trainer: says what is due, and takes as long as it is let."""

    enabled = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.looked: list[tuple[str, str]] = []
        self.stopped = False
        self.tidied = 0
        self.running = False

    def tidy(self) -> None:
        self.tidied += 1

    def due(self, user: str, profile: str) -> Due:
        self.looked.append((user, profile))
        return Due(100, 100, not self.asked, "x", {})

    def ask(self, user: str, profile: str) -> None:
        self.asked.append((user, profile))

    def run_next(self, _told: object, stopping: Callable[[], bool]) -> None:
        if self.asked and not self.stopped:
            self.running = True
            deadline = time.monotonic() + 120
            while not stopping() and time.monotonic() < deadline:
                time.sleep(0.01)
            self.stopped = stopping()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(Settings(home=tmp_path))


def test_a_step_makes_it_look_and_train_and_stopping_ends_it(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    scripted = Scripted()
    schedule = TrainingSchedule(Settings(home=tmp_path), store, cast("Trainer", scripted))
    schedule.start()
    until(lambda: scripted.tidied == 1)
    assert scripted.looked == []
    fill(store, 2)
    store.tuner.step("u")
    until(lambda: scripted.running)
    profile = store.tuner.state("u").profile
    assert scripted.asked == scripted.looked == [("u", profile)]
    schedule.stop()
    assert scripted.stopped, "by being asked to, not by its deadline"
    assert not schedule.is_alive()


def test_without_a_language_model_no_thread_starts(tmp_path: Path, store: Store) -> None:
    schedule = TrainingSchedule(Settings(home=tmp_path), store)
    schedule.start()
    assert not schedule.is_alive()
    schedule.stop()


def test_what_a_dead_service_was_training_waits_again(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(module, "LOOK_S", 0.02)
    asked, _ = store.trainings.queue("u", "embedded", {})
    store.trainings.lease(f"{socket.gethostname()}:999999999:1")
    scripted: Any = Scripted()
    schedule = TrainingSchedule(Settings(home=tmp_path), store, scripted)
    schedule.start()

    def waits() -> bool:
        found = store.trainings.get(asked.id)
        return found is not None and found.status == "queued"

    until(waits)
    schedule.stop()

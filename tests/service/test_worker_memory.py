"""The worker tells what its evaluator's device held, and lets go of a GPU that a training has taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from dqa.config import Settings
from dqa.models import device
from dqa.models.residency.meter import Reading
from dqa.record import ChannelName
from dqa.service.messages import Held, Ran, parse_upward
from dqa.service.metrics import Metrics
from dqa.service.slot import WorkerSlot
from dqa.service.worker import Worker
from dqa.store import Store
from dqa.testing import ScriptedEvaluator


class Measuring(ScriptedEvaluator):
    """An evaluator with models on a device."""

    released = 0
    on_device = True

    @property
    def readings(self) -> dict[ChannelName, Reading]:
        return {"semantic": Reading(1.0, 2.0, 1.5)}

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    made = Worker(Settings(home=tmp_path), Measuring, lambda _: None)
    made._evaluator_for("embedded")
    return made


def test_what_was_held_is_told_in_bytes_and_read_at_metrics(worker: Worker, tmp_path: Path) -> None:
    held = worker._memory()
    assert held == {"semantic": Held(allocated=2**30, reserved=2**31, peak=3 * 2**29)}
    message = Ran(job="j", seconds=1.0, peak_rss_bytes=1, memory=held)
    assert parse_upward(message.model_dump_json().encode()) == message
    metrics = Metrics()
    slot = WorkerSlot(0, Settings(home=tmp_path), "none", Store.open(Settings(home=tmp_path)), metrics)
    slot._hear(message)
    text = metrics.text().decode()
    assert 'dqa_channel_memory_bytes{channel="semantic",kind="reserved"} 2.147483648e+09' in text


def test_an_evaluator_that_measures_nothing_tells_nothing(tmp_path: Path) -> None:
    made = Worker(Settings(home=tmp_path), ScriptedEvaluator, lambda _: None)
    made._evaluator_for("embedded")
    assert made._memory() == {}
    made._give_way()


def test_an_unknown_channel_is_refused() -> None:
    with pytest.raises(ValueError, match="memory"):
        parse_upward(
            b'{"event":"ran","job":"x","seconds":1,"peak_rss_bytes":1,"memory":{"a":{"allocated":1,"reserved":1,"peak":1}}}'
        )


def test_models_that_idle_on_a_device_make_way_for_a_training(worker: Worker, tmp_path: Path) -> None:
    evaluator = worker._evaluator
    assert isinstance(evaluator, Measuring)
    worker._give_way()
    assert evaluator.released == 0
    with device.alone(tmp_path):
        worker._give_way()
        assert evaluator.released == 1
        evaluator.on_device = False
        worker._give_way()
    assert evaluator.released == 1

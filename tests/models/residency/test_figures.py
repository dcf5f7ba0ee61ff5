"""Measured memory: kept by exact weights, device and precision; a help that may be lost, never a fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dqa.config import Settings
from dqa.models.plan import Need
from dqa.models.pool import ModelPool
from dqa.models.profiles import Component, load_profile
from dqa.models.residency.figures import FILE, Figure, MemoryBook, key_of
from dqa.models.residency.ledger import Ledger
from dqa.models.residency.meter import ProcessMeter, Reading, meter_of

MODEL = Component(
    id="m", role="r", phase="verification", memory_gb=2, memory_source="stated", licence="MIT", revision="1" * 40
)


class Scripted:
    """A meter that reads what it is told."""

    def __init__(self, *, exact: bool) -> None:
        self.exact = exact
        self.now = Reading(0.0, 0.0, 0.0)

    def read(self) -> Reading:
        return self.now

    def restart(self) -> None:
        self.now = Reading(self.now.allocated, self.now.reserved, self.now.allocated)

    def free(self) -> None:
        pass


def ledger(home: Path, meter: Scripted, **change: object) -> Ledger:
    profile = load_profile("embedded").model_copy(update={"components": (MODEL.model_copy(update=change),)})
    return Ledger(profile, "cuda", home, None, meter)


def test_what_was_measured_is_there_for_the_next_process_and_named_measured(tmp_path: Path) -> None:
    first = ledger(tmp_path, Scripted(exact=True))
    assert (first.measured, first.gb("m")) == ({}, 2)
    first.loaded("m", 1.25)
    assert ledger(tmp_path, Scripted(exact=True)).measured == {"m": Need(1.25, 0.0, "measured")}
    assert list(tmp_path.iterdir()) == [tmp_path / FILE], "no half-written file is left"


def test_other_weights_another_device_or_precision_have_figures_of_their_own(tmp_path: Path) -> None:
    other = [
        MODEL.model_copy(update={"revision": "2" * 40}),
        MODEL.model_copy(update={"arguments": {"quantisation": "nf4"}}),
        MODEL.model_copy(update={"loader": "transformers-vlm"}),
    ]
    keys = {key_of(each, "cuda", Settings(home=tmp_path, vlm_folder=tmp_path)) for each in (MODEL, *other)}
    assert len(keys | {key_of(MODEL, "cpu")}) == 5


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "\x00", '{"schema": "other/1", "figures": {}}',
        '{"schema": "dqa.memory/1", "figures": {"a": {"gb": -1}}}',
        '{"schema": "dqa.memory/1", "figures": {"a": {"gb": NaN}}}',
    ],
)  # fmt: skip
def test_a_damaged_file_costs_a_warning_and_is_written_anew(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    book = MemoryBook(tmp_path)
    with capture_logs() as logs:
        assert book.figure("a") is None
    assert [entry["log_level"] for entry in logs] == ["warning"]
    book.write("b", Figure(gb=1.5))
    assert json.loads((tmp_path / FILE).read_text())["figures"] == {"b": {"gb": 1.5, "work_gb": 0.0}}


def test_a_folder_that_can_not_be_written_costs_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with capture_logs() as logs:
        MemoryBook(tmp_path / "file").write("b", Figure(gb=1.5))
    assert "can't be kept" in logs[-1]["event"]


def test_a_process_that_loads_into_memory_it_freed_before_has_measured_nothing(tmp_path: Path) -> None:
    growing = ledger(tmp_path, Scripted(exact=False), size_mb=500)
    growing.loaded("m", 0.2)
    assert growing.measured == {}
    growing.loaded("m", 0.7)
    assert growing.gb("m") == 0.7
    growing.loaded("m", 0.9)
    assert growing.gb("m") == 0.7, "the first figure stays"


def test_working_memory_is_what_a_channel_takes_on_top(tmp_path: Path) -> None:
    meter = Scripted(exact=True)
    book = ledger(tmp_path, meter)
    with book.watch("semantic", ["m"]):
        book.loaded("m", 3.0)
        meter.now = Reading(3.0, 6.0, 5.5)
    assert book.readings["semantic"] == Reading(3.0, 6.0, 5.5)
    with book.watch("semantic", ["m"]):
        meter.now = Reading(3.0, 6.0, 3.5)  # a smaller clip
    assert ledger(tmp_path, meter).measured["m"] == Need(3.0, 2.5, "measured")


def test_a_real_model_is_measured_on_first_load(tmp_path: Path) -> None:
    profile = load_profile("embedded")

    class Growing(Scripted):
        def read(self) -> Reading:
            self.now = Reading(self.now.allocated + 0.5, 0, 0)
            return self.now

    pool = ModelPool(profile, tmp_path, meter=Growing(exact=True))
    pool.get("efficientnet-lite0")
    key = key_of(profile.component("efficientnet-lite0"), "cpu")
    assert MemoryBook(tmp_path).figure(key) == Figure(gb=0.5)


def test_the_process_s_memory_is_read() -> None:
    meter = meter_of("cpu")
    assert isinstance(meter, ProcessMeter)
    read = meter.read()
    assert 0 < read.allocated <= read.peak
    assert read.allocated == read.reserved


def test_what_a_channel_leaves_on_the_device_for_the_next_one_counts_as_its_work(tmp_path: Path) -> None:
    meter = Scripted(exact=True)
    made = ledger(tmp_path, meter)
    made.loaded("m", 2.0)
    with made.watch("semantic", ["m"], lambda: 0.4):
        meter.now = Reading(2.4, 3.0, 2.9)
    assert made.measured["m"].work_gb == pytest.approx(0.9)

"""When memory runs out: smaller batches, fewer frames, the CPU, a clear refusal; each step told in the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dqa.channels.benchmark.asked.channel import AskedBenchmark
from dqa.config import Settings
from dqa.errors import InsufficientMemory
from dqa.evaluation.ladder import Reducible, thinned
from dqa.evaluator import Evaluator
from dqa.measure.observation import Observation
from dqa.models import pool as pool_module
from dqa.models.exhausted import ran_out
from dqa.models.vision.tower import ImageTower
from dqa.models.vlm import local_prefix
from dqa.models.vlm.local import LocalModel
from dqa.record import EvaluationRecord
from tests.evaluation import fakes
from tests.observing import gliding, observed

SEEN = observed(gliding(64))
WHOLE = len(SEEN.stills)


def judged(home: Path, device: str = "cuda") -> EvaluationRecord:
    evaluator = Evaluator(Settings(home=home), fakes.profile())
    evaluator.pool.device = device
    return evaluator.judge(SEEN, "a wolf")


def told(record: EvaluationRecord, channel: str) -> list[str]:
    return [note for note in record.notes if channel in note and "memory" in note]


def test_without_trouble_nothing_is_told(tmp_path: Path) -> None:
    record = judged(tmp_path)
    assert not [note for note in record.notes if "memory" in note]
    assert record.channels["semantic"].raw["stills"] == WHOLE


def test_smaller_batches_come_first_and_change_no_frame(tmp_path: Path) -> None:
    fakes.TROUBLE.append(lambda name, models, _: name == "semantic" and models[0].batch > 1)
    record = judged(tmp_path)
    assert record.channels["semantic"].raw["stills"] == WHOLE
    (note,) = told(record, "semantic")
    assert "1 instead of 4" in note
    # The model stays reduced, and who uses it next says so.
    assert "1 instead of 4" in told(record, "visionreward")[0]
    assert not told(record, "spatial")


def test_then_fewer_frames_as_many_as_there_is_room_for(tmp_path: Path) -> None:
    fakes.TROUBLE.append(lambda name, _, clip: name == "semantic" and len(clip.stills) > 2)
    record = judged(tmp_path)
    assert record.channels["semantic"].raw["stills"] == 2
    assert record.channels["visionreward"].raw["stills"] == WHOLE
    notes = told(record, "semantic")
    assert any(f"looked at 2 of {WHOLE} frames" in note for note in notes)
    assert not any("looked at 4" in note for note in notes)


def test_then_the_cpu_with_all_frames_and_back_again(tmp_path: Path) -> None:
    fakes.TROUBLE.append(lambda name, models, _: name == "semantic" and models[0].device != "cpu")
    record = judged(tmp_path)
    assert record.channels["semantic"].raw["stills"] == WHOLE
    assert any("ran on the CPU" in note for note in told(record, "semantic"))
    assert fakes.EVENTS.count(("load", "vlm")) == 3, "on the CPU, and on the device again for visionreward"


def test_at_last_it_says_insufficient_vram_and_the_others_go_on(tmp_path: Path) -> None:
    fakes.TROUBLE.append(lambda name, _, __: name == "semantic")
    record = judged(tmp_path)
    semantic = record.channels["semantic"]
    assert (semantic.status, semantic.score) == ("unavailable", None)
    assert semantic.raw == {"error": "insufficient_vram"}
    assert "vlm" in semantic.reason
    assert "DQA_BUDGET_GB" in semantic.reason
    assert record.channels["spatial"].status == "ok"


def test_on_a_cpu_there_is_no_other_device_to_go_to(tmp_path: Path) -> None:
    fakes.TROUBLE.append(lambda name, _, __: name == "semantic")
    record = judged(tmp_path, device="cpu")
    assert record.channels["semantic"].raw == {"error": "insufficient_vram"}
    assert fakes.EVENTS.count(("load", "vlm")) == 1


def test_the_benchmark_does_not_look_at_fewer_stills_in_vain(tmp_path: Path) -> None:
    fakes.TROUBLE.append(lambda name, _, __: name == "benchmark")
    judged(tmp_path, device="cpu")
    asked = [event for event in fakes.EVENTS if event[:2] == ("ask", "benchmark")]
    assert len(asked) == 5  # as it is, two smaller batches of the towers, then two of the DINO


def batches(grader: Evaluator) -> dict[str, int]:
    return {name: grader.pool.peek(name).batch for name in grader.pool.resident}


def test_whoever_was_asked_last_takes_less_first_and_the_others_stay(tmp_path: Path) -> None:
    fakes.TROUBLE.append(lambda name, models, _: name == "benchmark" and models[1].batch > 2)
    grader = Evaluator(Settings(home=tmp_path), fakes.profile())
    record = grader.judge(SEEN, "a wolf")
    assert [note.split()[0] for note in told(record, "benchmark")] == ["towers"]
    assert batches(grader) == {"vlm": 4, "clip": 4, "dino": 4, "towers": 2}


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_smaller_batches_that_did_not_help_are_not_kept(device: str, tmp_path: Path) -> None:
    fakes.TROUBLE.append(lambda name, _, __: name == "benchmark")
    grader = Evaluator(Settings(home=tmp_path), fakes.profile())
    grader.pool.device = device
    record = grader.judge(SEEN, "a wolf")
    assert record.channels["benchmark"].raw == {"error": "insufficient_vram"}
    assert set(batches(grader).values()) == {4}


def test_a_vision_language_model_is_not_tried_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pool_module.FOUND, "transformers-vlm", "tests.evaluation.fakes:load")
    profile = fakes.profile()
    vlm = profile.component("vlm").model_copy(update={"loader": "transformers-vlm"})
    profile = profile.model_copy(update={"components": (vlm, *profile.components[1:])})
    fakes.TROUBLE.append(lambda name, models, _: name in ("semantic", "spatial") and models[0].device != "cpu")
    grader = Evaluator(Settings(home=tmp_path), profile)
    grader.pool.device = "cuda"
    record = grader.judge(SEEN, "a wolf")
    assert record.channels["semantic"].raw == {"error": "insufficient_vram"}
    assert fakes.EVENTS.count(("load", "vlm")) == 1, "neither it nor its copy in host memory was given up"
    assert any("ran on the CPU" in note for note in told(record, "spatial")), "small models still go there"


def test_a_model_that_finds_no_room_is_not_loaded_again_for_fewer_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    load = fakes.load

    def crowded(component: Any, settings: Any) -> fakes.FakeModel:
        tried.append(component.id)
        if component.id == "vlm":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return load(component, settings)

    monkeypatch.setattr(fakes, "load", crowded)
    record = judged(tmp_path, device="cpu")
    assert record.channels["semantic"].raw == {"error": "insufficient_vram"}
    assert tried.count("vlm") == 2, "once for semantic, once for visionreward"


def test_a_benchmark_that_asks_looks_at_fewer_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert AskedBenchmark.facts.by_stills
    monkeypatch.setattr(fakes.Benchmark, "facts", replace(fakes.Benchmark.facts, by_stills=True))
    fakes.TROUBLE.append(lambda name, _, clip: name == "benchmark" and len(clip.stills) > 2)
    record = judged(tmp_path)
    assert record.channels["benchmark"].raw["stills"] == 2
    assert any(f"looked at 2 of {WHOLE} frames" in note for note in told(record, "benchmark"))


def test_what_counts_as_out_of_memory() -> None:
    assert ran_out(torch.OutOfMemoryError("CUDA out of memory"))
    assert ran_out(InsufficientMemory("the model ran out", fix=""))
    assert ran_out(MemoryError())
    assert ran_out(torch.AcceleratorError("CUDA error: out of memory"))
    assert not ran_out(torch.AcceleratorError("CUDA error: an illegal memory access was encountered"))
    assert not ran_out(RuntimeError("out of memory"))
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**50, dtype=torch.uint8)
    assert ran_out(refused.value), "as the host's allocator says it"


HOST = RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: ...")


@pytest.mark.parametrize("error", [HOST, MemoryError(), torch.AcceleratorError("CUDA error: out of memory")], ids=repr)
def test_whichever_way_it_is_said_less_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(fakes, "RAISED", error)
    fakes.TROUBLE.append(lambda name, _, clip: name == "semantic" and len(clip.stills) > 2)
    record = judged(tmp_path, device="cpu")
    assert record.channels["semantic"].raw["stills"] == 2


@settings(deadline=None)
@given(count=st.integers(1, 32), most=st.integers(1, 40), at=st.integers(0, 31))
def test_fewer_frames_are_even_and_keep_the_representative_one(count: int, most: int, at: int) -> None:
    stills = (SEEN.stills * 32)[:count]
    frames = tuple(frame.__class__(i, float(i), frame.image) for i, frame in enumerate(stills))
    seen = Observation(SEEN.media, frames, SEEN.track, at % count, SEEN.signals)
    fewer = thinned(seen, most)
    assert 1 <= len(fewer.stills) <= min(count, most)
    assert fewer.stills[fewer.representative] is seen.stills[seen.representative]
    order = [frame.index for frame in fewer.stills]
    assert order == sorted(set(order))
    assert fewer.track is seen.track


def test_the_real_models_can_take_less() -> None:
    class Tower(ImageTower):
        def parts(self) -> Sequence[torch.nn.Module]: ...  # type: ignore[empty-body]
        def prepare(self, images: Sequence[Any], antialias: bool) -> torch.Tensor: ...  # type: ignore[empty-body]
        def features(self, prepared: torch.Tensor) -> torch.Tensor: ...  # type: ignore[empty-body]
        @property
        def width(self) -> int:
            return 1

    tower = Tower(torch.nn.Linear(1, 1))
    tower.model.device = torch.device("meta")
    assert isinstance(tower, Reducible)
    assert [tower.smaller_batch() for _ in range(5)] == [True, True, True, True, False]
    assert LocalModel.full_batch == local_prefix.TOKENS_AT_ONCE

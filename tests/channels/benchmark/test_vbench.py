"""The backend vbench: its own mode, VBench's numbers, and what happens when models are missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dqa.channels.benchmark.dimensions import DIMENSIONS
from dqa.channels.benchmark.vbench.channel import VBenchBenchmark
from dqa.channels.benchmark.vbench.dimensions import OWN, PARITY
from dqa.channels.benchmark.vbench.leaderboard import QUALITY
from dqa.channels.contract import EvaluationContext
from dqa.channels.registry import build_channel
from dqa.clip.frame import Image
from dqa.errors import InsufficientMemory
from dqa.measure.observation import Observation
from dqa.measure.observe import observe
from dqa.models.pool import ModelPool
from dqa.models.profiles import ChannelSpec
from dqa.prompt.parse import Prompt
from dqa.record import ChannelResult, Media
from tests.models.tiny_vbench import IDS, components, pool
from tests.observing import gliding, timed

SIZE = (144, 176)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> ModelPool:
    folder = tmp_path_factory.mktemp("vbench")
    return pool(components(folder), folder)


def seen(images: list[Image], fps: float = 16.0, kind: str = "video", again: bool = True) -> Observation:
    height, width = images[0].shape[:2]
    facts: dict[str, Any] = {"sha256": "0" * 64, "kind": kind, "corrupt_packets": 0}
    media = Media(width=width, height=height, fps=fps, frames=len(images), duration_s=len(images) / fps, **facts)
    frames = timed(images, fps)
    return observe(iter(frames), lambda: media, replay=(lambda: iter(frames)) if again else None)


def judge(models: ModelPool, clip: Observation, ids: tuple[str, ...] = IDS, **more: Any) -> ChannelResult:
    return VBenchBenchmark(pool=models, components=ids, **more).evaluate(clip, Prompt("x"), EvaluationContext())


@pytest.fixture(scope="module")
def clip() -> Observation:
    return seen(gliding(17, 4.0, SIZE))


@pytest.fixture(scope="module")
def own(models: ModelPool, clip: Observation) -> ChannelResult:
    return judge(models, clip)


@pytest.fixture(scope="module")
def parity(models: ModelPool, clip: Observation) -> ChannelResult:
    return judge(models, clip, parity=True)


def dimensions(result: ChannelResult) -> dict[str, Any]:
    assert result.dimensions is not None
    return result.dimensions


def test_own_mode_judges_every_dimension(own: ChannelResult) -> None:
    assert own.status == "ok"
    assert set(dimensions(own)) == set(OWN) == {*DIMENSIONS, "aesthetic_quality"}
    assert all(d.status == "ok" and d.score is not None and d.reason for d in dimensions(own).values())
    assert own.evidence
    assert own.model is not None
    assert {part.id for part in own.model.parts} == set(IDS)
    assert all(part.sha256 for part in own.model.parts), "a folder's files are named by what is in them"


def test_the_registry_builds_it(models: ModelPool, clip: Observation, own: ChannelResult) -> None:
    spec = ChannelSpec(backend="vbench", components=IDS)
    again = build_channel("benchmark", spec, models).evaluate(clip, Prompt("y"), EvaluationContext())
    assert again == own, "neither another prompt nor another instance changes a thing"


def test_models_given_back_are_gone_and_change_nothing(
    models: ModelPool, clip: Observation, own: ChannelResult
) -> None:
    fresh = ModelPool(models.profile, models.home)
    assert dimensions(judge(fresh, clip, release=True)) == dimensions(own)
    assert fresh.resident == ()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_missing_model_costs_its_dimensions_alone(models: ModelPool, clip: Observation, count: int) -> None:
    found = judge(models, clip, IDS[:count])
    lost = {"dynamic_degree", "aesthetic_quality"}
    lost |= {"background_consistency"} if count < 2 else set()
    lost |= {"subject_consistency", "shot_integrity"} if count < 1 else set()
    assert found.status == "ok"
    assert {name for name, d in dimensions(found).items() if d.status == "unavailable"} == lost
    for name in lost:
        assert dimensions(found)[name].score is None
        assert "add " in dimensions(found)[name].reason, "it says what to fetch"
        assert name.replace("_", " ") in found.reason


def test_a_model_that_was_not_fetched_is_named(models: ModelPool, clip: Observation, tmp_path: Path) -> None:
    parts = list(models.profile.components)
    parts[0] = parts[0].model_copy(update={"hub": str(tmp_path / "nowhere")})
    found = dimensions(judge(pool(tuple(parts), tmp_path), clip, parity=True))
    assert found["subject_consistency"].status == "unavailable"
    assert "dino" in found["subject_consistency"].reason
    assert found["background_consistency"].status == "ok"


def test_a_still_never_wins(models: ModelPool, clip: Observation, own: ChannelResult, parity: ChannelResult) -> None:
    frozen = seen([gliding(1, 4.0, SIZE)[0]] * 17)
    assert own.score is not None
    assert parity.score is not None
    still = judge(models, frozen)
    assert still.score is not None
    assert still.score < 0.5 * own.score
    for name in ("subject_consistency", "background_consistency", "temporal_flickering", "frame_continuity"):
        assert dimensions(still)[name].score == 0.0, name
    numbers = judge(models, frozen, parity=True)
    assert dimensions(numbers)["subject_consistency"].raw == pytest.approx(1.0), "VBench calls it perfect"
    assert numbers.score == 0.0


def test_parity_says_what_is_missing_and_claims_no_total(parity: ChannelResult) -> None:
    assert set(dimensions(parity)) == set(PARITY) == set(QUALITY)
    board: Any = parity.raw["leaderboard"]
    assert board["missing"] == ["motion_smoothness", "imaging_quality"]
    assert not board["complete"]
    assert "no leaderboard score" in parity.reason
    assert (board["weight"], board["of_weight"]) == (4.5, 6.5)
    assert set(board["vbench"]) == set(board["normalised"]) == set(QUALITY) - set(board["missing"])
    for name in board["missing"]:
        assert dimensions(parity)[name].status == "unavailable"
        assert dimensions(parity)[name].score is None


def test_parity_needs_the_clip_again(models: ModelPool) -> None:
    found = dimensions(judge(models, seen(gliding(8, 4.0, SIZE), again=False), parity=True))
    assert found["temporal_flickering"].status == "ok"
    assert found["subject_consistency"].status == "unavailable"
    assert "evaluate the media file itself" in found["subject_consistency"].reason


def test_few_frames_and_pictures(models: ModelPool) -> None:
    picture = seen(gliding(1, 4.0, SIZE), kind="image")
    assert judge(models, picture, parity=True).status == "abstained"
    found = dimensions(judge(models, picture))
    assert found["dynamic_degree"].status == "abstained"
    assert found["aesthetic_quality"].status == "ok", "a picture can be looked at"
    short = dimensions(judge(models, seen(gliding(6, 4.0, SIZE), fps=24.0)))
    assert short["dynamic_degree"].status == "abstained"
    assert "2 sampled frames are too few" in short["dynamic_degree"].reason
    two = dimensions(judge(models, seen(gliding(2, 4.0, SIZE), fps=8.0), parity=True))
    assert two["dynamic_degree"].raw == 1.0, "VBench's rule, which wants no pair to move"
    assert "so few frames decide nothing" in two["dynamic_degree"].reason


def test_frames_too_small_for_raft(models: ModelPool) -> None:
    tiny = seen(gliding(9, 2.0, (96, 120)))
    for mode in (False, True):
        found = dimensions(judge(models, tiny, parity=mode))["dynamic_degree"]
        assert found.status == "abstained"
        assert "128" in found.reason


def test_frame_rate_changes_little_in_own_mode(models: ModelPool, own: ChannelResult) -> None:
    """The same second, sampled 16 and 32 times: the features followed are the same 8 a second."""
    doubled = dimensions(judge(models, seen(gliding(34, 2.0, SIZE), fps=32.0)))
    assert doubled["subject_consistency"].raw == pytest.approx(dimensions(own)["subject_consistency"].raw, abs=0.02)


def test_a_fault_in_one_dimension_spares_the_others(
    models: ModelPool, clip: Observation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ArithmeticError

    monkeypatch.setitem(OWN, "aesthetic_quality", broken)
    found = judge(models, clip)
    assert dimensions(found)["aesthetic_quality"].status == "failed"
    assert found.status == "ok"


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("full"), InsufficientMemory("full", fix="")])
def test_memory_that_runs_out_goes_up_so_that_less_is_tried(
    error: Exception, models: ModelPool, clip: Observation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr("dqa.channels.benchmark.vbench.channel.OWN", {"aesthetic_quality": full})
    with pytest.raises(type(error)):
        judge(models, clip)


def test_too_many_components_are_refused(models: ModelPool) -> None:
    with pytest.raises(ValueError, match="at most"):
        VBenchBenchmark(pool=models, components=(*IDS, "sixth"))


def test_dino_can_be_the_measured_benchmarks_encoder(models: ModelPool, clip: Observation) -> None:
    strict, lenient = (
        build_channel(
            "benchmark",
            ChannelSpec(backend="measured-benchmark", components=("dino",), arguments={"likeness": {"subject": half}}),
            models,
        ).evaluate(clip, Prompt("x"), EvaluationContext())
        for half in (0.01, 1.0)
    )
    one, two = (dimensions(r)["subject_consistency"] for r in (strict, lenient))
    assert one.raw == two.raw
    assert one.score < two.score
    assert strict.model is not None
    assert "one encoder's" in (strict.model.weakness or "")


def test_every_row_is_its_own(models: ModelPool) -> None:
    """A vector does not depend on what is asked for with it."""
    images = gliding(3, 4.0, SIZE)
    for name in ("dino", "clip-b32"):
        rows = models.get(name).encode(images)
        assert np.array_equal(rows[1], models.get(name).encode(images[1:2])[0])
        assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)

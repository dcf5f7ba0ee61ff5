"""Our VBench numbers against VBench's formulas written out plainly, on real clips and the same random weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from dqa.channels.benchmark.vbench.channel import VBenchBenchmark
from dqa.channels.benchmark.vbench.dynamic_degree import Rule
from dqa.channels.benchmark.vbench.flow import top_magnitude
from dqa.channels.contract import EvaluationContext
from dqa.clip.clip import Clip
from dqa.clip.frame import Frame, Image
from dqa.clip.limits import Limits
from dqa.measure.observe import observe
from dqa.models.pool import ModelPool
from dqa.models.vision.clip_image import ClipTower
from dqa.models.vision.dino import DinoTower
from dqa.models.vision.raft import FlowModel
from dqa.prompt.parse import Prompt
from dqa.record import ChannelResult
from tests.conftest import CLIPS
from tests.models.tiny_vbench import IDS, components, pool
from tests.parity import vbench_plain as plain

CLOSE = 1e-4
KEPT = 9
"""Frames of a clip that are compared: enough for every rule, and quick."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> ModelPool:
    folder = tmp_path_factory.mktemp("vbench")
    return pool(components(folder), folder)


@pytest.fixture(scope="module", params=["wan21_04_base.mp4", "cogvideox_0.mp4"])
def frames(request: pytest.FixtureRequest) -> list[Frame]:
    clip = Clip.open(CLIPS / request.param, Limits())
    return [frame for frame, _ in zip(clip.frames(max_side=320), range(KEPT), strict=False)]


@pytest.fixture(scope="module")
def result(models: ModelPool, frames: list[Frame]) -> ChannelResult:
    clip = Clip.open(CLIPS / "cogvideox_0.mp4", Limits())
    list(clip.frames(max_side=64))
    height, width = frames[0].image.shape[:2]
    facts = {"width": width, "height": height, "fps": 8.0, "frames": len(frames), "duration_s": len(frames) / 8}
    media = clip.media.model_copy(update=facts)
    seen = observe(iter(frames), lambda: media, replay=lambda: iter(frames))
    return VBenchBenchmark(pool=models, components=IDS, parity=True).evaluate(seen, Prompt("x"), EvaluationContext())


def raw(result: ChannelResult, name: str) -> float:
    found = (result.dimensions or {})[name]
    assert found.status == "ok", found.reason
    assert found.raw is not None
    return found.raw


def images(frames: list[Frame]) -> Iterator[Image]:
    return (frame.image for frame in frames)


def dino(models: ModelPool, frames: list[Frame]) -> list[torch.Tensor]:
    tower: DinoTower = models.get("dino")
    weights, eps = tower.model.state_dict(), tower.model.config.layer_norm_eps
    return [plain.dino(weights, plain.dino_input(image), 16, 4, 2, eps) for image in images(frames)]


def clip(models: ModelPool, name: str, patch: int, frames: list[Frame]) -> list[torch.Tensor]:
    tower: ClipTower = models.get(name)
    weights = tower.model.state_dict()
    return [plain.clip_image(weights, plain.clip_input(image), patch, 4, 2) for image in images(frames)]


def test_subject_consistency(models: ModelPool, frames: list[Frame], result: ChannelResult) -> None:
    assert raw(result, "subject_consistency") == pytest.approx(plain.consistency(dino(models, frames)), abs=CLOSE)


def test_background_consistency(models: ModelPool, frames: list[Frame], result: ChannelResult) -> None:
    wanted = plain.consistency(clip(models, "clip-b32", 32, frames))
    assert raw(result, "background_consistency") == pytest.approx(wanted, abs=CLOSE)


def test_temporal_flickering(frames: list[Frame], result: ChannelResult) -> None:
    assert raw(result, "temporal_flickering") == pytest.approx(plain.flickering(list(images(frames))), abs=CLOSE)


def test_aesthetic_quality(models: ModelPool, frames: list[Frame], result: ChannelResult) -> None:
    layer = models.get("head").layer
    wanted = plain.aesthetic(clip(models, "clip-l14", 28, frames), layer.weight, layer.bias)
    assert raw(result, "aesthetic_quality") == pytest.approx(wanted, abs=CLOSE)


def test_dynamic_degree(models: ModelPool, frames: list[Frame], result: ChannelResult) -> None:
    flow: FlowModel = models.get("raft")
    height, width = frames[0].image.shape[:2]
    tops = [plain.top(f.double().numpy()) for f in flow.flows(images(frames), 20)]
    assert raw(result, "dynamic_degree") == float(plain.moves(tops, height, width, len(frames)))


def test_single_vectors_are_those_of_the_formulas(models: ModelPool, frames: list[Frame]) -> None:
    """A mean of cosines forgives much: the vectors themselves agree, too."""
    ours = models.get("dino").vectors([frames[0].image], antialias=False)[0]
    theirs = torch.nn.functional.normalize(dino(models, frames[:1])[0], dim=0)
    assert torch.allclose(ours, theirs, atol=CLOSE)
    ours = models.get("clip-b32").vectors([frames[0].image], antialias=False)[0]
    theirs = torch.nn.functional.normalize(clip(models, "clip-b32", 32, frames[:1])[0], dim=0)
    assert torch.allclose(ours, theirs, atol=CLOSE)


def test_what_the_formulas_compare_is_not_all_the_same(models: ModelPool, frames: list[Frame]) -> None:
    """Random networks that saw nothing would agree with anything."""
    vectors = [v / v.norm() for v in (*dino(models, frames), *dino(models, frames))]
    spread = torch.stack(vectors[: len(frames)]).std(dim=0).max()
    assert spread > CLOSE


@pytest.mark.parametrize("seed", range(5))
def test_the_rule_of_dynamic_degree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for sampled in range(1, 40):
        tops = rng.uniform(0, 20, sampled - 1).tolist()
        height, width = (int(v) for v in rng.integers(128, 800, 2))
        rule = Rule.of(min(height, width), sampled)
        assert rule.moves(tops) == plain.moves(tops, height, width, sampled)


def test_the_top_twentieth_of_a_flow() -> None:
    flow = np.random.default_rng(0).normal(size=(2, 24, 40)).astype(np.float32)
    assert top_magnitude(flow) == pytest.approx(plain.top(flow.astype(np.float64)), rel=1e-6)


@pytest.mark.parametrize("path", sorted(Path(CLIPS).glob("*flex.mp4"))[:1])
def test_chunks_make_no_difference(models: ModelPool, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dqa.channels.benchmark.vbench import replay, subject_consistency
    from dqa.channels.benchmark.vbench.models import Models

    clip = Clip.open(path, Limits())
    kept = [frame for frame, _ in zip(clip.frames(max_side=240), range(7), strict=False)]
    list(clip.frames(max_side=64))
    seen = observe(iter(kept), lambda: clip.media, replay=lambda: iter(kept))
    whole = subject_consistency.parity(replay.Replay(seen), Models(models, IDS)).raw
    monkeypatch.setattr(replay, "CHUNK", 3)
    assert subject_consistency.parity(replay.Replay(seen), Models(models, IDS)).raw == whole

"""The benchmark channel: what it must never reward, what it abstains from, how it folds and explains."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.channels.benchmark.channel import MeasuredBenchmark, confidence
from dqa.channels.benchmark.dimensions import ASPECTS, DIMENSIONS
from dqa.channels.contract import EvaluationContext
from dqa.channels.scales import falling, rising, soft_min
from dqa.clip.frame import Image
from dqa.errors import ModelUnavailable
from dqa.measure.colour import ColourSignature
from dqa.models.pool import ModelPool
from dqa.models.profiles import load_profile
from dqa.prompt.parse import Prompt
from dqa.record import ChannelResult
from tests.conftest import CLIPS
from tests.observing import gliding, observed, read_frames, texture


class ColourPool(ModelPool):
    """A pool whose encoder is the colour signature: no weights, still tells scenes apart."""

    def __init__(self) -> None:
        super().__init__(load_profile("embedded"), Path("nowhere"))

    def get(self, component_id: str) -> ColourSignature:
        assert component_id == "efficientnet-lite0"
        return ColourSignature()


def judge(frames: list[Image], fps: float = 16.0, kind: str = "video") -> ChannelResult:
    channel = MeasuredBenchmark(pool=ColourPool(), components=("efficientnet-lite0",))
    return channel.evaluate(observed(frames, fps, kind), Prompt("x"), EvaluationContext())


def crisp(count: int = 33, step: float = 2.0) -> list[Image]:
    """Gliding frames with hard edges: a sound clip, from which a blur has something to take away."""
    return [np.where(frame > 120, 200, 60).astype(np.uint8) for frame in gliding(count, step)]


@pytest.fixture(scope="module")
def sound() -> ChannelResult:
    return judge(crisp())


def test_every_dimension_of_the_contract_is_there(sound: ChannelResult) -> None:
    assert sound.status == "ok"
    assert sound.dimensions is not None
    assert set(sound.dimensions) == set(DIMENSIONS)
    named = {"subject_consistency", "background_consistency", "temporal_flickering", "motion_smoothness"}
    assert named | {"dynamic_degree", "imaging_quality"} <= set(DIMENSIONS)
    assert all(d.status == "ok" and d.score is not None and d.reason for d in sound.dimensions.values())
    assert set(sound.raw["aspects"]) == {  # type: ignore[arg-type]
        "semantic_consistency",
        "temporal_coherence",
        "subject_consistency",
        "motion_smoothness",
    }
    assert set().union(*ASPECTS.values()) <= set(DIMENSIONS)


@pytest.mark.parametrize("hold", [2, 4, 8, 33])
def test_held_frames_never_pay(sound: ChannelResult, hold: int) -> None:
    held = judge([frame for frame in crisp()[::hold] for _ in range(hold)][:33])
    assert sound.score is not None
    assert held.score is not None
    assert held.score < sound.score - 0.1
    assert "frame continuity" in held.reason.lower()


def test_a_static_clip_earns_nothing_though_vbench_calls_it_perfect() -> None:
    still = judge([texture()] * 33)
    assert still.dimensions is not None
    for name in ("subject_consistency", "background_consistency", "temporal_flickering", "motion_smoothness"):
        assert still.dimensions[name].raw == pytest.approx(1.0), "VBench's own value"
        assert still.dimensions[name].score == 0.0, name
    assert still.score is not None
    assert still.score < 0.1
    assert "32 of 32 frames repeat the one before" in still.reason


def test_blur_never_pays() -> None:
    frames = read_frames(CLIPS / "wan21_01_flex.mp4", 416)
    sharp, soft = judge(frames), judge([cv2.GaussianBlur(frame, (0, 0), 2) for frame in frames])
    assert sharp.dimensions is not None
    assert soft.dimensions is not None
    for name in ("motion_smoothness", "temporal_flickering"):
        assert (soft.dimensions[name].raw or 0) > (sharp.dimensions[name].raw or 1), "VBench's own value rewards it"
    assert (soft.score or 0) < (sharp.score or 0) - 0.1
    assert "imaging quality" in soft.reason.lower()


def test_the_same_motion_at_another_frame_rate_scores_alike() -> None:
    scores = [judge(crisp(int(2 * fps), step=32 / fps), fps).score or 0 for fps in (12.0, 24.0, 48.0)]
    assert max(scores) - min(scores) < 0.1


def test_a_quiet_scene_under_a_static_camera_is_not_punished() -> None:
    scene, frames = texture(), []
    for i in range(33):
        frame = scene.copy()
        cv2.circle(frame, (40 + i // 2, 60 + i % 2), 9, (240, 240, 60), -1)
        frames.append(frame)
    result = judge(frames)
    assert result.dimensions is not None
    assert (result.dimensions["frame_continuity"].score or 0) > 0.9


def test_a_picture_is_judged_by_its_imaging_alone() -> None:
    result = judge([crisp(1)[0]], kind="image")
    assert result.status == "ok"
    assert result.dimensions is not None
    assert result.score == result.dimensions["imaging_quality"].score
    others = [d for name, d in result.dimensions.items() if name != "imaging_quality"]
    assert all(d.status == "abstained" and d.score is None and d.reason for d in others)
    assert result.raw["curves"] == {}
    assert "7 of 8 dimensions could not be judged" in result.reason


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_clip_of_a_few_frames_abstains_from_what_needs_more(count: int) -> None:
    result = judge(gliding(count))
    assert result.dimensions is not None
    assert result.dimensions["dynamic_degree"].status == "abstained", "VBench: 1 frame never moves, 2 always do"
    assert result.dimensions["imaging_quality"].status == "ok"
    assert (result.confidence or 1) < 0.3


def test_evidence_comes_worst_first_and_tells_when(sound: ChannelResult) -> None:
    frames = crisp()
    frames[16:] = [frames[16]] * 17
    result = judge(frames)
    assert result.evidence[0].text.startswith("frame continuity: 16 of 32 frames repeat")
    assert result.evidence[0].time_s == (1.0, 2.0)
    assert all(item.time_s is not None for item in sound.evidence)


def test_curves_are_bounded_and_keep_the_bad_frame() -> None:
    frames = gliding(300, step=1)
    frames[150] = 255 - frames[150]
    curves = judge(frames).raw["curves"]
    assert isinstance(curves, dict)
    assert {len(line) for line in curves.values()} == {64}  # type: ignore[arg-type]
    difference = np.array(curves["difference"])
    assert difference.max() > 10 * np.median(difference)
    assert abs(np.array(curves["time_s"])[difference.argmax()] - 150 / 16) < 0.3


def test_confidence_grows_with_length_size_and_answers(sound: ChannelResult) -> None:
    media = observed(gliding(33)).media
    assert confidence(media, 33, 1.0) > confidence(media, 33, 0.5)
    assert confidence(media, 33, 1.0) > confidence(media.model_copy(update={"duration_s": 0.2}), 4, 1.0)
    assert confidence(media, 33, 1.0) > confidence(media.model_copy(update={"corrupt_packets": 9}), 33, 1.0)
    assert 0 < (sound.confidence or 0) <= 0.85


unit = st.floats(0, 1)


@given(st.lists(unit, min_size=1, max_size=9), st.integers(0, 8), unit)
def test_the_fold_is_monotone_and_within_its_parts(values: list[float], at: int, better: float) -> None:
    at %= len(values)
    raised = [max(value, better) if i == at else value for i, value in enumerate(values)]
    before, after = soft_min(values), soft_min(raised)
    assert before is not None
    assert after is not None
    assert after >= before - 1e-12
    floored = [max(0.02, value) for value in values]
    assert before == 0 or min(floored) - 1e-9 <= before <= sum(floored) / len(floored) + 1e-9


def test_one_bad_dimension_pulls_hard() -> None:
    assert (soft_min([0.9] * 7 + [0.1]) or 0) < 0.35
    assert soft_min([0.9] * 8) == pytest.approx(0.9)
    assert soft_min([]) is None
    assert soft_min([0.0, 0.0]) == 0.0


@given(st.floats(0.01, 10), st.floats(0.5, 10), st.lists(st.floats(0, 100), min_size=2, unique=True))
def test_scales_are_monotone_and_bounded(half: float, power: float, values: list[float]) -> None:
    for low, high in pairwise(sorted(values)):
        assert 0 <= falling(high, half, power) <= falling(low, half, power) <= 1
        assert 0 <= rising(low, half, power) <= rising(high, half, power) <= 1
    assert falling(half, half, power) == pytest.approx(0.5)


class ClassifierPool(ColourPool):
    """A pool whose encoder has the classifier's width and counts how many images it is shown."""

    shown = 0

    def get(self, component_id: str) -> ClassifierPool:  # type: ignore[override]
        return self

    def encode(self, images: list[Image]) -> np.ndarray:
        self.shown += len(images)
        rows = np.array([[image.mean() + k % 7 for k in range(1280)] for image in images], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def shown(pool: ModelPool, frames: list[Image], kind: str = "video") -> ChannelResult:
    channel = MeasuredBenchmark(pool=pool, components=("efficientnet-lite0",))
    return channel.evaluate(observed(frames, 16.0, kind), Prompt("x"), EvaluationContext())


def test_it_says_what_the_clip_shows_from_features_it_has_anyway() -> None:
    pool = ClassifierPool()
    embedding = shown(pool, crisp()).raw["embedding"]
    assert isinstance(embedding, dict)
    assert embedding["model"] == "efficientnet-lite0/labels16"
    assert isinstance(embedding["values"], list)
    assert len(embedding["values"]) == 16
    assert pool.shown == 17 + 9, "the track's 17 frames and its 9 backgrounds; none twice"
    assert "embedding" in shown(ClassifierPool(), [texture()], "image").raw


def test_without_an_encoder_of_that_kind_it_says_nothing(sound: ChannelResult) -> None:
    class NoPool(ColourPool):
        def get(self, component_id: str) -> ColourSignature:
            raise ModelUnavailable("no weights", fix="install them")

    assert "embedding" not in sound.raw  # colours are no classifier's features
    assert "embedding" not in shown(NoPool(), [texture()], "image").raw

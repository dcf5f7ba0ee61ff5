"""VisionReward from pixels: four axes, reasons with a number in them, advice only where something is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from dqa.channels.contract import EvaluationContext
from dqa.channels.visionreward.measured import MeasuredVisionReward
from dqa.clip.frame import Image
from dqa.prompt.parse import Prompt
from dqa.record import AxisName, ChannelResult
from tests.channels.test_benchmark import ColourPool
from tests.conftest import CLIPS
from tests.observing import observed, read_frames, texture

WEIGHTS = {"aesthetic": 0.30, "motion": 0.25, "coherence": 0.25, "fidelity": 0.20}


def judge(frames: list[Image], kind: str = "video") -> ChannelResult:
    channel = MeasuredVisionReward(pool=ColourPool(), components=())
    return channel.evaluate(observed(frames, 16.0, kind), Prompt("x"), EvaluationContext())


def scores(result: ChannelResult) -> dict[str, float]:
    assert result.axes is not None
    return {name: axis.score for name, axis in result.axes.items() if axis.score is not None}


@pytest.fixture(scope="module")
def real() -> list[Image]:
    return read_frames(CLIPS / "wan21_01_flex.mp4", 416)


@pytest.fixture(scope="module")
def original(real: list[Image]) -> ChannelResult:
    return judge(real)


def test_the_score_is_the_weighted_mean_of_the_axes(original: ChannelResult) -> None:
    found = scores(original)
    assert set(found) == set(WEIGHTS)
    assert original.score == pytest.approx(sum(WEIGHTS[name] * found[name] for name in WEIGHTS))


def test_it_says_that_it_is_no_judge_of_beauty(original: ChannelResult) -> None:
    assert original.model is not None
    assert "beautiful" in (original.model.weakness or "")
    assert "not a learned judge" in original.reason
    assert (original.confidence or 1) <= 0.5


def test_every_reason_cites_a_measurement_and_a_good_axis_needs_no_advice(original: ChannelResult) -> None:
    assert original.axes is not None
    for axis in original.axes.values():
        assert re.search(r"\d", axis.reason)
        assert axis.score is not None
        assert (axis.advice == "") == (axis.score >= 0.7)


def noisy(frame: Image, seed: int) -> Image:
    return np.clip(frame + np.random.default_rng(seed).normal(0, 20, frame.shape), 0, 255).astype(np.uint8)


def soft(frames: list[Image]) -> list[Image]:
    return [cv2.GaussianBlur(frame, (0, 0), 3) for frame in frames]


def dimmed(frames: list[Image], shares: list[float]) -> list[Image]:
    return [(f * shares[i % len(shares)]).astype(np.uint8) for i, f in enumerate(frames)]


FAULTS: list[tuple[AxisName, str, Callable[[list[Image]], list[Image]]]] = [
    ("motion", "frames freeze", lambda frames: [frames[min(i, 10)] for i in range(len(frames))]),
    ("coherence", "flicker", lambda frames: dimmed(frames, [1.0, 0.7])),
    ("coherence", "scene changes", lambda frames: [*frames[:16], *[255 - frame for frame in frames[16:]]]),
    ("fidelity", "detail lost", soft),
    ("fidelity", "noise", lambda frames: [noisy(frame, i) for i, frame in enumerate(frames)]),
    ("aesthetic", "picture unclear", soft),
    ("aesthetic", "exposure off", lambda frames: dimmed(frames, [0.08])),
]


@pytest.mark.parametrize(("axis", "advice", "spoil"), FAULTS)
def test_the_advice_fits_the_fault(
    original: ChannelResult,
    real: list[Image],
    axis: AxisName,
    advice: str,
    spoil: Callable[[list[Image]], list[Image]],
) -> None:
    spoiled = judge(spoil(real))
    assert scores(spoiled)[axis] < scores(original)[axis] - 0.15
    assert (spoiled.score or 0) < (original.score or 0)
    assert spoiled.axes is not None
    assert advice in spoiled.axes[axis].advice


def test_little_motion_is_answered_in_the_words_of_the_design(real: list[Image]) -> None:
    still = judge([real[0]] * 33)
    assert still.axes is not None
    assert still.axes["motion"].score == 0.0
    assert still.axes["motion"].advice.startswith("motion low -> reduce prompt complexity")


def test_black_and_white_is_a_style_not_a_fault(original: ChannelResult, real: list[Image]) -> None:
    grey = [np.repeat(frame.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8) for frame in real]
    lost = scores(original)["aesthetic"] - scores(judge(grey))["aesthetic"]
    assert 0 < lost < 0.2


def test_a_picture_has_looks_but_no_motion() -> None:
    result = judge([texture()], kind="image")
    assert set(scores(result)) == {"aesthetic", "fidelity"}
    found = scores(result)
    assert result.score == pytest.approx((0.3 * found["aesthetic"] + 0.2 * found["fidelity"]) / 0.5)
    assert result.axes is not None
    assert result.axes["motion"].advice == ""
    assert "image" in result.axes["motion"].reason


def test_it_says_how_the_clip_looks(original: ChannelResult) -> None:
    look = original.raw["look"]
    assert isinstance(look, dict)
    assert set(look) == {"brightness", "contrast", "colourfulness", "warmth", "pace"}
    assert all(isinstance(value, float) and 0 < value < 1 for value in look.values())
    still = judge([texture()], "image").raw["look"]
    assert isinstance(still, dict)
    assert still["pace"] is None

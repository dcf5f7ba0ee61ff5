"""Order under degradation, on real clips: every fault lowers the grade, and the reasoning names what is at fault."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from benchmarks.degradations import verdicts
from dqa.clip.frame import Image
from dqa.config import Settings
from dqa.evaluator import Evaluator
from tests.conftest import RealClip, real_clips
from tests.degradations import DEGRADATIONS
from tests.observing import gliding, read_frames, texture

NAMES = ("wan21_01_base", "wan21_04_flex", "wan21_07_base", "cogvideox_9")
CLIPS = {clip.id: clip for clip in real_clips()}


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    return Evaluator(Settings(home=tmp_path_factory.mktemp("home")))


@lru_cache(maxsize=2)
def frames_of(clip: RealClip) -> list[Image]:
    return read_frames(clip.path, 832)[:41]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_fault_lowers_the_grade_and_is_named(name: str, evaluator: Evaluator) -> None:
    clip = CLIPS[name]
    table = verdicts(frames_of(clip), 16.0, frames_of(CLIPS["wan21_07_flex"]), clip.prompt, evaluator)
    original = table.pop("original")
    assert set(table) == set(DEGRADATIONS)
    not_lower = {fault: v for fault, v in table.items() if v.final >= original.final}
    unnamed = {fault: v.reasoning for fault, v in table.items() if not v.names(fault)}
    assert (not_lower, unnamed) == ({}, {})


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_a_degradation_spoils_the_clip_keeps_its_size_and_leaves_its_input_alone(name: str) -> None:
    frames, other = gliding(24), [texture(seed=9)] * 30
    before = [frame.copy() for frame in frames]
    spoiled, again = (DEGRADATIONS[name](frames, 16.0, other) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(frames, before, strict=True))
    assert len(spoiled) == 24
    assert {frame.shape for frame in spoiled} == {frames[0].shape}
    assert {frame.dtype for frame in spoiled} == {np.dtype(np.uint8)}
    assert any(not np.array_equal(a, b) for a, b in zip(spoiled, frames, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(spoiled, again, strict=True)), "a run repeats exactly"

"""Order under degradation, on real clips: every fault lowers the score, and the reason names the dimension at fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.degradations import Verdict, judges, verdicts
from dqa.channels.contract import Channel
from dqa.clip.frame import Image
from tests.conftest import CLIPS
from tests.degradations import DEGRADATIONS, RESPONSIBLE
from tests.observing import gliding, read_frames, texture

NAMES = ("wan21_01_base", "wan21_01_flex", "wan21_04_base", "wan21_04_flex", "wan21_07_base", "cogvideox_9")
OTHER = "wan21_07_flex"


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Channel, Channel]:
    return judges(tmp_path_factory.mktemp("home"))


def frames_of(name: str) -> list[Image]:
    return read_frames(Path(CLIPS / f"{name}.mp4"), 832)[:41]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_fault_lowers_the_score_and_is_named(name: str, channels: tuple[Channel, Channel]) -> None:
    table = verdicts(frames_of(name), 16.0, frames_of(OTHER), channels)
    original = table.pop("original")
    assert set(table) == set(DEGRADATIONS)
    wrong = {fault: v for fault, v in table.items() if v.benchmark >= original.benchmark}
    wrong_together = {fault: v for fault, v in table.items() if v.together >= original.together}
    unnamed = {fault: v.reason for fault, v in table.items() if not _named(fault, v)}
    assert (wrong, wrong_together, unnamed) == ({}, {}, {})


def _named(fault: str, verdict: Verdict) -> bool:
    named = [name.replace("_", " ") in verdict.reason.lower() for name in RESPONSIBLE[fault]]
    return any(named) and any(name in verdict.lowest for name in RESPONSIBLE[fault])


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

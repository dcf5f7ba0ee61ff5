"""Repeats: held frames are found through compression; quiet scenes are not called frozen."""

from __future__ import annotations

import numpy as np
import pytest

from dqa.measure.repeats import find_repeats
from tests.conftest import CLIPS
from tests.degradations import encoded
from tests.observing import gliding, measured, read_frames, texture


def test_motion_repeats_nothing() -> None:
    repeats = find_repeats(measured(gliding()))
    assert repeats.count == 0
    assert repeats.share == repeats.still == repeats.longest_s == 0
    assert repeats.longest is None


def test_a_still_is_one_long_freeze() -> None:
    repeats = find_repeats(measured([texture()] * 17))
    assert repeats.count == 16
    assert repeats.share == repeats.still == 1
    assert repeats.longest == (0.0, 1.0)


def test_a_lone_held_frame_stands_still_by_half() -> None:
    frames = gliding(17)
    frames[8] = frames[7]
    repeats = find_repeats(measured(frames))
    assert repeats.flags.nonzero()[0].tolist() == [7]
    assert repeats.share == pytest.approx(1 / 16)
    assert repeats.still == pytest.approx(1 / 32)


@pytest.mark.parametrize("crf", [18, 23, 30])
def test_a_freeze_is_found_after_compression(crf: int) -> None:
    frames = read_frames(CLIPS / "wan21_01_flex.mp4", 416)
    frozen = [*frames[:16], *[frames[16]] * 17]
    repeats = find_repeats(measured(encoded(frozen, 16.0, crf)))
    assert repeats.longest is not None
    assert repeats.longest_s > 0.7
    assert repeats.share == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("name", ["cogvideox_0", "cogvideox_9"])
def test_a_quiet_desert_is_not_frozen(name: str) -> None:
    repeats = find_repeats(measured(read_frames(CLIPS / f"{name}.mp4", 680)))
    assert repeats.share < 0.05


def test_one_frame_repeats_nothing() -> None:
    assert find_repeats(measured([texture()])).weights.size == 0
    assert np.isfinite(find_repeats(measured([texture()] * 2)).share)

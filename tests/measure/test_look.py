"""How a clip looks: each value follows what it is named for, and nothing else moves with it for no reason."""

from __future__ import annotations

from dataclasses import asdict

import cv2
import numpy as np
import pytest

from dqa.clip.frame import Image
from dqa.measure.look import Look, look
from tests.conftest import CLIPS
from tests.observing import gliding, observed, read_frames, texture


def seen(frames: list[Image], kind: str = "video", fps: float = 16.0) -> Look:
    return look(observed(frames, fps, kind))


def plain(red: int, green: int, blue: int) -> list[Image]:
    return [np.full((64, 96, 3), (red, green, blue), np.uint8)] * 8


@pytest.fixture(scope="module")
def real() -> list[Image]:
    return read_frames(CLIPS / "wan21_01_flex.mp4", 416)


def test_every_value_is_between_0_and_1_for_the_extremes() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 64, 96, 3)).astype(np.uint8)
    for frames in (plain(0, 0, 0), plain(255, 255, 255), plain(255, 255, 0), plain(0, 0, 255), list(noise)):
        assert all(value is not None and 0 <= value <= 1 for value in asdict(seen(frames)).values())


def test_black_is_dark_white_is_bright_and_both_are_plain() -> None:
    black, white = seen(plain(0, 0, 0)), seen(plain(255, 255, 255))
    assert (black.brightness, white.brightness) == pytest.approx((0, 1), abs=1e-3)
    assert (black.contrast, black.colourfulness, black.pace) == (0, 0, 0)
    assert black.warmth == white.warmth == pytest.approx(0.5, abs=0.01)


def test_the_brightness_of_a_known_colour_is_cielab_s() -> None:
    # sRGB (128, 128, 128) is L* 53.585 (D65).
    assert seen(plain(128, 128, 128)).brightness == pytest.approx(0.53585, abs=1e-3)


def test_yellow_is_warm_and_blue_is_cool() -> None:
    assert seen(plain(220, 180, 60)).warmth > 0.9
    assert seen(plain(60, 90, 220)).warmth < 0.1


def test_a_real_clip_graded_otherwise_moves_as_it_should(real: list[Image]) -> None:
    original = seen(real)
    darker = seen([(f * 0.5).astype(np.uint8) for f in real])
    grey = seen([cv2.cvtColor(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) for f in real])
    bluer = seen([np.clip(f.astype(np.int16) + np.array([-30, 0, 30]), 0, 255).astype(np.uint8) for f in real])
    flat = seen([(f * 0.4 + 76).astype(np.uint8) for f in real])
    assert darker.brightness < original.brightness - 0.1
    assert grey.colourfulness < 0.05 < 0.3 < original.colourfulness
    assert grey.warmth == pytest.approx(0.5, abs=0.01)
    assert bluer.warmth < original.warmth - 0.2
    assert flat.contrast < original.contrast - 0.2
    assert flat.brightness == pytest.approx(original.brightness, abs=0.15)


def test_pace_is_motion_by_time_not_by_frame() -> None:
    slow, fast = (seen(gliding(16, step)).pace for step in (0.5, 4.0))
    assert slow is not None
    assert fast is not None
    assert slow < fast
    twice = seen([f for f in gliding(16, 4.0) for _ in range(2)], fps=32.0).pace
    assert twice == pytest.approx(fast, abs=0.1)


def test_an_image_has_a_look_but_no_pace() -> None:
    still = seen([texture()], "image", 0.001)
    assert still.pace is None
    assert 0 < still.brightness < 1


def test_it_is_the_same_to_the_last_bit(real: list[Image]) -> None:
    assert seen(real) == seen([frame.copy() for frame in real])

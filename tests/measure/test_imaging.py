"""Imaging: each measure moves with its fault and stays with the others."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dqa.measure.imaging import blocking, colourfulness, imaging, noise_sigma, sharpness
from dqa.measure.motion import grey, small_copy
from tests.conftest import CLIPS
from tests.observing import read_frames, texture


@pytest.fixture(scope="module", params=["wan21_01_flex", "wan21_07_base", "cogvideox_0"])
def frame(request: pytest.FixtureRequest) -> np.ndarray:
    return read_frames(CLIPS / f"{request.param}.mp4")[16]


def test_sharpness_falls_with_every_step_of_blur(frame: np.ndarray) -> None:
    values = [sharpness(grey(frame))] + [sharpness(grey(cv2.GaussianBlur(frame, (0, 0), s))) for s in (1, 2, 8)]
    assert values == sorted(values, reverse=True)
    assert 0 <= values[-1] < 0.2 < values[0] <= 1


def test_noise_is_measured_in_levels(frame: np.ndarray) -> None:
    before = noise_sigma(grey(frame))
    noisy = np.clip(frame + np.random.default_rng(0).normal(0, 10, frame.shape), 0, 255).astype(np.uint8)
    # Independent noise of sigma 10 in R, G and B is 10 * sqrt(.299^2 + .587^2 + .114^2) = 6.7 in luma.
    assert before < 1
    assert noise_sigma(grey(noisy)) == pytest.approx(6.7, rel=0.2)


def test_blocking_sees_an_8_px_grid() -> None:
    smooth = texture(240, 320)
    coarse = cv2.resize(smooth, (40, 30), interpolation=cv2.INTER_AREA)
    blocky = cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_NEAREST)
    assert blocking(grey(smooth)) < 0.05
    assert blocking(grey(blocky)) > 1


def test_colourfulness_of_grey_is_nothing() -> None:
    assert colourfulness(np.full((8, 8, 3), 90, np.uint8)) == 0
    assert colourfulness(texture()) > 30


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (31, 31), (40, 2000)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_and_tiny_frames_give_numbers(size: tuple[int, int], level: int) -> None:
    image = np.full((*size, 3), level, np.uint8)
    look = imaging(image, small_copy(image))
    assert look.sharpness == look.noise == look.blocking == look.contrast == 0
    assert look.luminance == pytest.approx(level / 255)
    assert look.dark + look.bright == (level != 128)

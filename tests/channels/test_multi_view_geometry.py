"""Multi-view geometry: a rigid scene beats one whose texture melts; where it can't tell, it abstains."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dqa.channels.benchmark import multi_view_geometry as geometry
from dqa.channels.benchmark.dimensions import DIMENSIONS
from dqa.channels.benchmark.view import View
from dqa.clip.frame import Frame, Image
from dqa.models.roles import ImageEncoder
from tests.conftest import CLIPS
from tests.observing import gliding, observed, read_frames
from tests.rigid_scenes import going_around


def no_encoder() -> ImageEncoder:
    raise AssertionError("geometry asks for no features")


def view(images: list[Image], fps: float = 8.0, kind: str = "video") -> View:
    return View(observed(images, fps, kind), no_encoder)


@pytest.fixture(scope="module")
def scores() -> dict[float, float | None]:
    return {melt: geometry.measure(view(going_around(12, 3.0, melt)), rigid=True).raw for melt in (0.0, 0.8, 3.0)}


def test_the_more_a_texture_melts_the_less_fits(scores: dict[float, float | None]) -> None:
    rigid, soft, molten = scores.values()
    assert rigid is not None
    assert soft is not None
    assert molten is not None
    assert rigid > soft > molten
    assert rigid > 0.85
    assert molten < 0.6


def test_it_is_the_same_every_time(scores: dict[float, float | None]) -> None:
    cv2.setRNGSeed(77)
    assert geometry.measure(view(going_around(12, 3.0, 0.8)), rigid=True).raw == scores[0.8]


def test_a_camera_that_stands_still_shows_no_second_view() -> None:
    finding = geometry.measure(view([going_around(1)[0]] * 16))
    assert finding.status == "abstained"
    assert "the camera moves" in finding.reason


def test_a_thing_that_moves_on_its_own_is_no_fault_of_the_scene() -> None:
    images = gliding(12, 3.0, (240, 320))
    thing = going_around(1)[0][30:130, 60:180]
    for number, image in enumerate(images):
        top = 20 + 8 * number
        image[top : top + 100, 60:180] = cv2.resize(thing, (120, 100))
    finding = geometry.measure(view(images))
    assert finding.score is None or finding.score > 0.7
    if finding.score is None:
        assert "on its own" in finding.reason


@pytest.mark.parametrize(
    "images",
    [
        [np.full((120, 160, 3), 90, np.uint8)] * 12,
        [np.random.default_rng(i).integers(0, 255, (96, 96, 3), np.uint8) for i in range(8)],
        gliding(4),
        gliding(12, size=(16, 16)),
    ],
    ids=["blank", "noise", "short", "tiny"],
)
def test_where_there_is_nothing_to_match_it_abstains_or_finds_nothing(images: list[Image]) -> None:
    finding = geometry.measure(view(images))
    assert finding.score is None or finding.score < 0.2
    assert finding.reason


def test_points_on_one_line_define_no_geometry() -> None:
    line = np.stack([np.arange(80.0), 2 * np.arange(80.0)], axis=1).astype(np.float32)
    assert geometry.fitting(line, line + 3, 2.0) is None
    same = np.zeros((80, 2), np.float32)
    assert geometry.fitting(same, same, 2.0) is None
    assert geometry.fitting(line[:5], line[:5], 2.0) is None


def test_a_frame_without_points_matches_nothing() -> None:
    blank = Frame(0, 0.0, np.zeros((64, 64, 3), np.uint8))
    one, two = geometry.matched(blank, blank)
    assert one.shape == two.shape == (0, 2)


def test_it_is_no_dimension_of_the_profiles_without_a_judge() -> None:
    assert "multi_view_geometry" not in DIMENSIONS


def test_on_real_clips_it_answers_in_range_or_says_why_not() -> None:
    for name in ("wan21_01_base.mp4", "wan21_07_flex.mp4"):
        finding = geometry.measure(view(read_frames(CLIPS / name, 240)[::2][:16]))
        assert finding.score is None or 0 <= finding.score <= 1
        assert finding.reason

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from dqa.clip.clip import Clip
from dqa.clip.frame import Frame, Image
from dqa.clip.limits import Limits
from dqa.clip.representative import representative_index
from dqa.clip.sampling import still_sampler
from tests.conftest import RealClip


def stills(images: Sequence[Image]) -> list[Frame]:
    return [Frame(8 * n, n / 2, image) for n, image in enumerate(images)]


@pytest.fixture(scope="module")
def real(clips: list[RealClip]) -> list[list[Image]]:
    """The stills of four real clips."""
    found: list[list[Image]] = []
    for clip in clips[::2]:
        sampler = still_sampler()
        for frame in Clip.open(clip.path, Limits()).frames(480):
            sampler.offer(frame)
        found.append([frame.image for frame in sampler.frames()][:5])
    return found


def spoil(image: Image, how: str) -> Image:
    if how == "blurred":
        return cv2.GaussianBlur(image, (0, 0), image.shape[1] / 40)
    return np.full_like(image, {"black": 0, "white": 255, "grey": 128}[how])


@pytest.mark.parametrize("how", ["black", "white", "grey", "blurred"])
@pytest.mark.parametrize("good", [0, 1, 2, 4])
def test_the_one_good_still_is_found(how: str, good: int, real: list[list[Image]]) -> None:
    for images in real:
        mixed = [image if n == good else spoil(image, how) for n, image in enumerate(images)]
        assert representative_index(stills(mixed)) == good


def test_the_middle_of_a_dissolve_is_avoided(real: list[list[Image]]) -> None:
    size = (240, 136)
    scenes = [cv2.resize(images[0], size) for images in real]
    for first in range(len(scenes)):
        for second in range(len(scenes)):
            if first != second:
                a, b = scenes[first], scenes[second]
                blend = cv2.addWeighted(a, 0.5, b, 0.5, 0)
                assert representative_index(stills([a, a, blend, b, b])) != 2


def test_a_fade_from_black_is_avoided(real: list[list[Image]]) -> None:
    for images in real:
        levels = (0.0, 0.25, 0.5, 1.0, 1.0, 1.0)
        faded = [(images[0] * level).astype(np.uint8) for level in levels]
        assert representative_index(stills(faded)) >= 3


def test_a_moving_scene_is_no_transition() -> None:
    rng = np.random.default_rng(0)
    tile = rng.integers(0, 255, (15, 15, 3), dtype=np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    wide = np.tile(tile, (1, 4, 1))
    panned = [np.ascontiguousarray(wide[:, 40 * n : 40 * n + 480]) for n in range(5)]
    assert representative_index(stills(panned)) == 2


def test_among_equals_the_middle_wins() -> None:
    board = (np.indices((64, 64)).sum(axis=0) // 8 % 2 * 200 + 20).astype(np.uint8)
    same = [np.repeat(board[..., None], 3, axis=-1)] * 7
    assert representative_index(stills(same)) == 3
    assert representative_index(stills([np.zeros((64, 64, 3), np.uint8)] * 5)) == 2
    assert representative_index(stills(same[:1])) == 0


def test_it_is_deterministic(real: list[list[Image]]) -> None:
    for images in real:
        assert len({representative_index(stills(images)) for _ in range(3)}) == 1


def test_no_stills_are_an_error() -> None:
    with pytest.raises(ValueError, match="without stills"):
        representative_index([])

"""What a clip shows in 16 numbers: the same clip stays near itself, other clips lie elsewhere."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dqa.models.embedded.reduction import Reduction, reduction
from dqa.models.pool import ModelPool
from dqa.models.profiles import load_profile
from dqa.models.roles import Vectors
from tests.conftest import RealClip
from tests.degradations import encoded
from tests.observing import read_frames

ENCODER = "efficientnet-lite0"
EVERY = 6


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> ModelPool:
    return ModelPool(load_profile("embedded"), tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def shipped() -> Reduction:
    found = reduction(ENCODER)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def shown(pool: ModelPool, shipped: Reduction, clips: list[RealClip]) -> tuple[np.ndarray, np.ndarray]:
    """n x 16 of the clips, and of the same clips at half the size and compressed again."""
    encoder = pool.get(ENCODER)
    as_they_are, spoiled = [], []
    for clip in clips:
        frames = read_frames(clip.path)[::EVERY]
        height, width = frames[0].shape[:2]
        small = [cv2.resize(f, (width // 4 * 2, height // 4 * 2), interpolation=cv2.INTER_AREA) for f in frames]
        as_they_are.append(shipped.reduce(encoder.encode(frames)))
        spoiled.append(shipped.reduce(encoder.encode(encoded(small, 16.0, crf=28))))
    return np.array(as_they_are), np.array(spoiled)


def test_the_directions_are_orthonormal_and_named(shipped: Reduction) -> None:
    assert shipped.directions.shape == (16, 1280)
    assert np.allclose(shipped.directions @ shipped.directions.T, np.eye(16), atol=1e-5)
    assert shipped.model == "efficientnet-lite0/labels16"


def test_they_are_the_classifier_s_own(pool: ModelPool, shipped: Reduction) -> None:
    weights = pool.get(ENCODER).class_weights.astype(np.float64)
    centred = weights - weights.mean(axis=0)
    held = np.sum((centred @ shipped.directions.T) ** 2)
    best = np.sum(np.linalg.svd(centred, compute_uv=False)[:16] ** 2)
    assert held == pytest.approx(best, rel=1e-4)


def test_a_clip_encoded_again_is_nearer_to_itself_than_any_other_clip_is(shown: tuple[np.ndarray, np.ndarray]) -> None:
    originals, spoiled = shown
    distance = np.linalg.norm(spoiled[:, None] - originals[None], axis=2)
    assert np.array_equal(distance.argmin(axis=1), np.arange(len(originals)))
    own, others = np.diag(distance), distance[~np.eye(len(distance), dtype=bool)]
    assert np.median(own) < 0.5 * np.median(others)


def test_clips_of_one_prompt_are_more_alike_than_clips_of_two(
    shown: tuple[np.ndarray, np.ndarray], clips: list[RealClip]
) -> None:
    unit = shown[0] / np.linalg.norm(shown[0], axis=1, keepdims=True)
    same = np.array([[a.prompt == b.prompt for b in clips] for a in clips])
    cosines = unit @ unit.T
    assert cosines[same & ~np.eye(len(clips), dtype=bool)].mean() > cosines[~same].mean() + 0.3


def test_values_have_about_unit_variance(shown: tuple[np.ndarray, np.ndarray]) -> None:
    assert 0.5 < np.sqrt(np.mean(shown[0] ** 2)) < 2


@pytest.mark.parametrize("kind", ["black", "white", "noise"])
def test_even_a_clip_of_nothing_stays_within_reach(pool: ModelPool, shipped: Reduction, kind: str) -> None:
    rng = np.random.default_rng(0)
    image = {
        "black": np.zeros((90, 160, 3)),
        "white": np.full((90, 160, 3), 255),
        "noise": rng.integers(0, 256, (90, 160, 3)),
    }
    values = shipped.reduce(pool.get(ENCODER).encode([image[kind].astype(np.uint8)]))
    assert np.abs(values).max() < 20


def test_an_encoder_without_one_has_none() -> None:
    assert reduction("another") is None


def test_it_fits_features_of_its_width_only(shipped: Reduction) -> None:
    rows: list[tuple[Vectors, bool]] = [
        (np.zeros((3, 1280), np.float32), True),
        (np.zeros((0, 1280), np.float32), False),
        (np.zeros((3, 216), np.float32), False),
    ]
    assert [shipped.fits(r) for r, _ in rows] == [fits for _, fits in rows]

"""ProxyCLIP as a grounder: windows, words, and heat where the likeness is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dqa.models.pool import ModelPool
from dqa.models.proxyclip.grounder import Options, ProxyClip
from dqa.models.proxyclip.pixels import padded, pixels, scaled, working_size
from dqa.models.proxyclip.windows import sliding, starts
from dqa.models.proxyclip.words import BACKGROUND, FEW_TEMPLATES, TEMPLATES, background_for
from dqa.models.roles import Grounder
from tests.channels.grounding import BLUE, BOTH, LEFT, OPTIONS, RED, RIGHT, SIDE, picture, pool, teach

THINGS = [["red ball"], ["blue box"]]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> ModelPool:
    made = pool(tmp_path_factory.mktemp("models"))
    teach(made)
    return made


@pytest.fixture(scope="module")
def untaught(tmp_path_factory: pytest.TempPathFactory) -> ModelPool:
    return pool(tmp_path_factory.mktemp("untaught"))


def grounder(models: ModelPool, **more: object) -> Grounder:
    return ProxyClip(models.get("clip"), models.get("vfm"), Options(**(OPTIONS | more)))


@given(st.integers(1, 900), st.integers(1, 400), st.data())
def test_windows_cover_every_pixel(length: int, window: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(max(1, window // 4), window))
    found = starts(length, window, stride)
    assert found == sorted(set(found))
    covered = np.zeros(length, int)
    for start in found:
        assert start == 0 or start + window <= length
        covered[start : start + window] += 1
    assert covered.min() >= 1


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 12), st.data())
def test_overlaps_are_averaged(height: int, width: int, window: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, window))
    whole = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height * 31 + width))
    assert torch.allclose(sliding(whole, window, stride, lambda part: part[0]), whole[0], atol=1e-5)


def test_the_mean_is_over_the_windows_that_saw_a_pixel() -> None:
    calls = iter([1.0, 4.0])
    found = sliding(torch.zeros(1, 3, 2, 6), 4, 2, lambda part: torch.full((1, *part.shape[-2:]), next(calls)))
    assert found[0].tolist() == [[1, 1, 2.5, 2.5, 4, 4]] * 2


def test_pictures_keep_their_shape_and_are_padded_with_zeros() -> None:
    assert working_size(1080, 1920, 336, 2048) == (336, 597)
    assert working_size(1920, 1080, 336, 2048) == (597, 336)
    assert working_size(64, 64, 336, 2048) == (336, 336)
    wide = padded(torch.ones(1, 3, 9, 16), 8)
    assert wide.shape == (1, 3, 16, 16)
    assert wide.sum() == 3 * 9 * 16
    assert pixels(BOTH)[0, :, LEFT[0], LEFT[1]].tolist() == pytest.approx([c / 255 for c in RED])
    flat = torch.full((1, 3, 30, 40), 0.25)
    assert torch.allclose(scaled(flat, (7, 90)), torch.full((1, 3, 7, 90), 0.25))


def test_there_are_eighty_sentences() -> None:
    assert len(set(TEMPLATES)) == len(TEMPLATES) == 80
    assert set(FEW_TEMPLATES) < set(TEMPLATES)
    assert all(t.count("{}") == 1 for t in TEMPLATES)


def test_what_is_looked_for_is_not_background_too() -> None:
    assert len({word for line in BACKGROUND for word in line}) == sum(map(len, BACKGROUND))
    assert "sea" in background_for(["a sailing boat", "wall clock"])
    assert "wall" in background_for(["wall clock"])
    assert "sea" not in background_for(["the wild Ocean"])
    assert background_for([" "]) == [line[0] for line in BACKGROUND]


def test_things_are_found_where_they_are(models: ModelPool) -> None:
    found = grounder(models).ground(BOTH, THINGS)
    assert found.heat.shape == found.masks.shape == (2, *BOTH.shape[:2])
    for mask, (y, x) in zip(found.masks, (LEFT, RIGHT), strict=True):
        there = np.zeros(mask.shape, bool)
        there[y : y + SIDE, x : x + SIDE] = True
        assert (mask & there).sum() / (mask | there).sum() > 0.5
    assert not found.masks.all(axis=0).any(), "a pixel shows one thing"
    assert found.heat.min() >= 0
    assert found.heat.sum(axis=0).max() <= 1 + 1e-5


def test_things_that_are_not_there_are_not_found(models: ModelPool) -> None:
    found = grounder(models).ground(picture({RED: LEFT}), THINGS)
    assert found.masks[0].any()
    assert found.masks[1].mean() < 0.002


@pytest.mark.parametrize(("height", "width"), [(64, 128), (128, 64), (64, 64), (90, 70)])
def test_any_shape_of_picture(models: ModelPool, height: int, width: int) -> None:
    corner = (height - SIDE - 8, width - SIDE - 8)
    image = picture({BLUE: corner}, height=height, width=width)
    mask = grounder(models).ground(image, THINGS).masks[1]
    assert mask.shape == (height, width)
    ys, xs = np.nonzero(mask)
    assert (ys.mean(), xs.mean()) == pytest.approx((corner[0] + SIDE / 2, corner[1] + SIDE / 2), abs=6)


def test_the_raster_can_be_chosen(models: ModelPool) -> None:
    small = grounder(models).ground(BOTH, THINGS, (16, 32))
    assert small.masks.shape == (2, 16, 32)
    full = grounder(models).ground(BOTH, THINGS)
    assert small.masks.mean(axis=(1, 2)) == pytest.approx(full.masks.mean(axis=(1, 2)), abs=0.03)


def test_the_threshold_empties_masks_of_the_unsure(models: ModelPool) -> None:
    sure, unsure = (grounder(models, threshold=t).ground(BOTH, THINGS).masks.sum() for t in (0.25, 1.01))
    assert sure > 0
    assert unsure == 0


def test_a_thing_is_as_likely_as_its_likeliest_name(untaught: ModelPool) -> None:
    both = grounder(untaught).ground(BOTH, [["cat", "dog"]])
    single = grounder(untaught).ground(BOTH, [["cat"], ["dog"]])
    assert both.heat[0] == pytest.approx(single.heat.max(axis=0), abs=1e-6)


def test_the_same_again_and_whatever_came_between(untaught: ModelPool, tmp_path: Path) -> None:
    here, fresh = grounder(untaught), grounder(pool(tmp_path))
    first = here.ground(BOTH, THINGS)
    here.ground(picture({BLUE: LEFT}), [["dog"]])
    for again in (here.ground(BOTH, THINGS), fresh.ground(BOTH, THINGS)):
        assert np.array_equal(first.heat, again.heat)
        assert np.array_equal(first.masks, again.masks)


@pytest.mark.parametrize("scale", [1.5, 2.0])
def test_the_vision_model_can_be_shown_more_pixels(models: ModelPool, scale: float) -> None:
    found = grounder(models, vfm_scale=scale).ground(BOTH, THINGS)
    ys, xs = np.nonzero(found.masks[0])
    assert (ys.mean(), xs.mean()) == pytest.approx((LEFT[0] + SIDE / 2, LEFT[1] + SIDE / 2), abs=8)


def test_a_picture_of_one_colour_gives_numbers(untaught: ModelPool) -> None:
    flat = np.full((40, 40, 3), 128, np.uint8)
    assert np.isfinite(grounder(untaught).ground(flat, THINGS).heat).all()

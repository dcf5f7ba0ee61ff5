"""Grounding: things found where they are, seldom where they are not, and relations with their sign."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.topic_auc import Item, photographs
from dqa.channels.contract import EvaluationContext
from dqa.channels.spatial.activation import MASK_SIDE, Place, run_lengths
from dqa.channels.spatial.cam import CamSpatial
from dqa.channels.spatial.checks import check
from dqa.clip.frame import Frame, Image
from dqa.measure.observation import Observation
from dqa.measure.observe import observe
from dqa.models.pool import ModelPool
from dqa.models.profiles import load_profile
from dqa.prompt import parse_prompt
from dqa.prompt.parse import RelationName
from dqa.record import ChannelResult, Media

CONTEXT = EvaluationContext()


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> CamSpatial:
    profile = load_profile("embedded")
    pool = ModelPool(profile, tmp_path_factory.mktemp("home"))
    return CamSpatial(pool=pool, components=profile.channels["spatial"].components)


@pytest.fixture(scope="module")
def photos() -> dict[str, Item]:
    return {item.name: item for item in photographs()}


def still(image: Image, scale: float = 1.0) -> Observation:
    height, width = (round(side * scale) for side in image.shape[:2])
    media = Media(
        sha256="0" * 64, kind="image", width=width, height=height, fps=0, frames=1, duration_s=0, corrupt_packets=0
    )
    return observe(iter([Frame(0, 0.0, image, scale)]), lambda: media)


def beside(left: Image, right: Image) -> Image:
    height, width = 400, 400
    import cv2

    return np.hstack([cv2.resize(left, (width, height)), cv2.resize(right, (width, height))])


def judged(channel: CamSpatial, observation: Observation, prompt: str) -> ChannelResult:
    return channel.evaluate(observation, parse_prompt(prompt), CONTEXT)


@pytest.mark.parametrize(
    ("photo", "prompt", "point"),
    [
        # Points inside the thing, by eye, in pixels.
        ("coffee", "a cup of espresso", (270, 140)),
        ("stereo_motorcycle", "a red motorcycle", (400, 260)),
        ("camera", "a camera on a tripod", (285, 180)),
    ],
)
def test_found_where_it_is(
    channel: CamSpatial, photos: dict[str, Item], photo: str, prompt: str, point: tuple[int, int]
) -> None:
    result = judged(channel, photos[photo].observation, prompt)
    thing = result.raw["entities"][0]
    assert thing["found"]
    x0, y0, x1, y1 = thing["box"]
    assert x0 <= point[0] <= x1
    assert y0 <= point[1] <= y1
    media = photos[photo].observation.media
    assert 0 <= x0 < x1 <= media.width
    assert 0 <= y0 < y1 <= media.height
    assert sum(thing["mask"]["rle"]) == MASK_SIDE**2
    assert sum(thing["mask"]["rle"][1::2]) / MASK_SIDE**2 == pytest.approx(thing["area"])


def test_boxes_are_in_pixels_of_the_original(channel: CamSpatial, photos: dict[str, Item]) -> None:
    image = photos["coffee"].observation.stills[0].image
    once, thrice = (judged(channel, still(image, s), "a cup of espresso").raw["entities"][0] for s in (1.0, 3.0))
    assert thrice["box"] == pytest.approx([3 * v for v in once["box"]])
    assert thrice["area"] == once["area"]


def test_relations_are_told_with_their_sign(channel: CamSpatial, photos: dict[str, Item]) -> None:
    cat, coffee = (photos[n].observation.stills[0].image for n in ("cat", "coffee"))
    observation = still(beside(cat, coffee))
    right = judged(channel, observation, "a tabby cat to the left of a cup of espresso")
    wrong = judged(channel, observation, "a tabby cat to the right of a cup of espresso")
    assert [r["holds"] for r in right.raw["relations"]] == [True]
    assert [r["holds"] for r in wrong.raw["relations"]] == [False]
    assert right.score is not None
    assert wrong.score is not None
    assert right.score > wrong.score
    assert "does not hold: cat right of espresso" in wrong.reason


@pytest.mark.slow
def test_seldom_found_where_it_is_not(channel: CamSpatial, photos: dict[str, Item]) -> None:
    things = ["an espresso", "a cat", "a motorcycle", "a tripod", "an electric guitar", "a school bus", "a lighthouse"]
    own = {"an espresso": "coffee", "a cat": "cat", "a motorcycle": "stereo_motorcycle", "a tripod": "camera"}
    found: dict[bool, list[bool]] = {True: [], False: []}
    for name in ("coffee", "cat", "stereo_motorcycle", "camera", "moon", "grass", "page", "retina", "coins"):
        for thing in things:
            entity = judged(channel, photos[name].observation, thing).raw["entities"][0]
            found[own.get(thing) == name].append(entity["found"])
    assert all(found[True])
    assert np.mean(found[False]) <= 0.05


def test_what_has_no_label_is_named_and_left_out(channel: CamSpatial, photos: dict[str, Item]) -> None:
    result = judged(channel, photos["cat"].observation, "a tabby cat and a qwertzuiop")
    assert result.raw["unknown"] == ["qwertzuiop"]
    assert [(e["name"], e["found"]) for e in result.raw["entities"]] == [("tabby cat", True), ("qwertzuiop", None)]
    assert result.confidence == pytest.approx(0.25)
    assert judged(channel, photos["cat"].observation, "a qwertzuiop").status == "abstained"


def square(x: int, y: int, side: int = 8) -> Place:
    mask = np.zeros((MASK_SIDE, MASK_SIDE), bool)
    mask[y : y + side, x : x + side] = True
    return Place(mask, (x * 10.0, y * 10.0, (x + side) * 10.0, (y + side) * 10.0), float(mask.mean()))


OPPOSITES: dict[RelationName, RelationName] = {"left of": "right of", "above": "below"}
PLACES = st.builds(square, st.integers(0, 33), st.integers(0, 33))


@given(PLACES, PLACES)
def test_opposites_never_both_hold(a: Place, b: Place) -> None:
    for name, opposite in OPPOSITES.items():
        one, other = check(a, name, b).holds, check(a, opposite, b).holds
        assert (one is None) == (other is None)
        assert one is None or one != other
        assert check(b, opposite, a).holds == one


def test_inside_next_to_and_depth() -> None:
    big, small, far = square(0, 0, 30), square(5, 5, 6), square(34, 34)
    assert check(small, "in", big).holds is True
    assert check(far, "in", big).holds is False
    assert check(small, "next to", square(12, 5, 6)).holds is True
    assert check(square(0, 0, 4), "next to", far).holds is False
    assert check(small, "behind", big).holds is None


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_run_lengths_give_the_mask_back(cells: list[bool]) -> None:
    runs = run_lengths(np.array([cells]))
    back = [bool(number % 2) for number, run in enumerate(runs) for _ in range(run)]
    assert back == cells

"""Grounding by words: found where it is and when it is, relations with their sign, and what the contract promises."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from dqa.channels.contract import EvaluationContext
from dqa.channels.registry import build_channel
from dqa.channels.spatial.proxyclip import ProxyClipSpatial
from dqa.channels.spatial.tracks import SMALLEST, Sighting, Track, check_over_time, sighting
from dqa.clip.frame import Frame, Image
from dqa.errors import ModelUnavailable
from dqa.measure.observation import Observation
from dqa.measure.observe import observe
from dqa.models.pool import ModelPool
from dqa.models.profiles import ChannelSpec
from dqa.prompt import parse_prompt
from dqa.prompt.parse import Entity
from dqa.record import ChannelResult, Media
from tests.channels.grounding import BLUE, BOTH, LEFT, OPTIONS, RED, RIGHT, SIDE, picture, pool, teach
from tests.observing import observed

CONTEXT = EvaluationContext()
SPEC = ChannelSpec(backend="proxyclip", components=("clip", "vfm"), arguments=OPTIONS)
TOLD = "a red ball to the left of a blue box"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> ModelPool:
    made = pool(tmp_path_factory.mktemp("models"))
    teach(made)
    return made


@pytest.fixture(scope="module")
def channel(models: ModelPool) -> ProxyClipSpatial:
    built = build_channel("spatial", SPEC, models)
    assert isinstance(built, ProxyClipSpatial)
    return built


def judged(channel: ProxyClipSpatial, observation: Observation, prompt: str) -> ChannelResult:
    return channel.evaluate(observation, parse_prompt(prompt), CONTEXT)


def still(image: Image) -> Observation:
    return observed([image], kind="image")


def shrunk(image: Image, scale: float) -> Observation:
    """A picture as it is kept of a larger original."""
    height, width = (round(side * scale) for side in image.shape[:2])
    facts = Media(
        sha256="0" * 64, kind="image", width=width, height=height, fps=0, frames=1, duration_s=0, corrupt_packets=0
    )
    return observe(iter([Frame(0, 0.0, image, scale)]), lambda: facts)


def test_found_where_it_is_in_pixels_of_the_original(channel: ProxyClipSpatial) -> None:
    for scale in (1.0, 3.0):
        result = judged(channel, shrunk(BOTH, scale), TOLD)
        for entity, (y, x) in zip(result.raw["entities"], (LEFT, RIGHT), strict=True):
            assert entity["found"]
            wanted = [scale * v for v in (x, y, x + SIDE, y + SIDE)]
            assert entity["box"] == pytest.approx(wanted, abs=6 * scale)
            assert entity["area"] == pytest.approx(SIDE**2 / BOTH[..., 0].size, rel=0.35)
            height, width = entity["mask"]["size"]
            assert sum(entity["mask"]["rle"]) == height * width
            assert sum(entity["mask"]["rle"][1::2]) / (height * width) == pytest.approx(entity["area"])
            assert 0.5 < entity["confidence"] <= 1


def test_what_is_not_there_is_not_found_and_weighs_against_the_prompt(channel: ProxyClipSpatial) -> None:
    both, one = (judged(channel, still(image), TOLD) for image in (BOTH, picture({RED: LEFT})))
    assert [e["found"] for e in one.raw["entities"]] == [True, False]
    assert one.raw["entities"][1]["box"] is None
    assert one.score is not None
    assert both.score is not None
    assert one.score < both.score
    assert "not found: blue box" in one.reason
    assert one.raw["relations"][0]["holds"] is None


def test_relations_change_their_sign_in_the_mirror(channel: ProxyClipSpatial) -> None:
    mirrored = np.ascontiguousarray(BOTH[:, ::-1])
    here, there = (judged(channel, still(image), TOLD) for image in (BOTH, mirrored))
    assert [r["holds"] for r in here.raw["relations"]] == [True]
    assert [r["holds"] for r in there.raw["relations"]] == [False]
    assert here.raw["relations"][0]["margin"] == pytest.approx(-there.raw["relations"][0]["margin"], abs=0.05)
    assert "does not hold: ball left of box" in there.reason
    turned = judged(channel, still(mirrored), "a red ball to the right of a blue box")
    assert [r["holds"] for r in turned.raw["relations"]] == [True]


@pytest.mark.parametrize(("relation", "holds"), [("above", True), ("below", False)])
def test_above_and_below(channel: ProxyClipSpatial, relation: str, holds: bool) -> None:
    image = picture({RED: (8, 20), BLUE: (96, 20)}, height=128, width=64)
    assert [
        r["holds"] for r in judged(channel, still(image), f"a red ball {relation} a blue box").raw["relations"]
    ] == [holds]


def test_depth_is_never_told(channel: ProxyClipSpatial) -> None:
    told = judged(channel, still(BOTH), "a red ball behind a blue box").raw["relations"]
    assert [r["holds"] for r in told] == [None]


def test_a_thing_is_followed_and_said_when_it_is_seen(channel: ProxyClipSpatial) -> None:
    """Red moves to the right all the while; blue is there in the second half only."""
    images = [
        picture({RED: (20, 8 + i)} | ({BLUE: (4, 96)} if i >= 16 else {}), height=64, width=128) for i in range(32)
    ]
    result = judged(channel, observed(images, fps=8.0), TOLD)
    red, blue = result.raw["tracks"]
    assert len(red["frames"]) == len(blue["frames"]) == 8
    lefts = [seen["box"][0] for seen in red["frames"]]
    assert lefts[-1] - lefts[0] == pytest.approx(31, abs=8)
    assert red["spans"] == [[red["frames"][0]["time_s"], red["frames"][-1]["time_s"]]]
    first = next(seen["time_s"] for seen in blue["frames"] if seen["time_s"] >= 2.0)
    assert blue["spans"] == [[first, blue["frames"][-1]["time_s"]]]
    evidence = result.evidence[1]
    assert evidence.time_s == tuple(blue["spans"][0])
    assert "of 8 frames" in evidence.text
    assert evidence.frame in [seen["frame"] for seen in blue["frames"]]


def test_what_is_named_twice_is_looked_for_once(channel: ProxyClipSpatial) -> None:
    prompt = parse_prompt("a red ball next to a red ball")
    entities = (Entity("red ball", "ball"), Entity("Red  ball", "ball"))
    result = channel.evaluate(still(BOTH), type(prompt)(prompt.text, entities, prompt.relations), CONTEXT)
    one, other = result.raw["entities"]
    assert one["box"] == other["box"]
    assert one["found"]


@pytest.mark.parametrize("prompt", ["", "justice", "4k, cinematic"])
def test_a_prompt_that_names_nothing_is_abstained_from(channel: ProxyClipSpatial, prompt: str) -> None:
    result = judged(channel, still(BOTH), prompt)
    assert (result.status, result.score, result.raw["entities"]) == ("abstained", None, [])


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_blank_frames_are_abstained_from(channel: ProxyClipSpatial, grey: int) -> None:
    result = judged(channel, observed([np.full((64, 64, 3), grey, np.uint8)] * 4), TOLD)
    assert (result.status, result.score) == ("abstained", None)
    assert "blank" in result.reason
    assert [e["found"] for e in result.raw["entities"]] == [None, None]


@pytest.mark.parametrize("prompt", [TOLD, "a robot, 4k", "x", "红色的狼", "🐺" * 50, "wolf {} {0} " * 300])
def test_range_and_form(channel: ProxyClipSpatial, prompt: str) -> None:
    result = judged(channel, observed([BOTH] * 8), prompt)
    assert (result.score is None) == (result.status != "ok")
    assert result.reason
    assert result.model is not None
    assert [part.id for part in result.model.parts] == ["clip", "vfm"]
    json.loads(result.model_dump_json())
    if result.status == "ok":
        assert result.evidence
        assert result.confidence is not None
        for entity in result.raw["entities"]:
            assert {"name", "found", "area", "box", "frame", "confidence"} <= entity.keys()


def test_the_same_clip_gives_the_same_result_whatever_came_before(channel: ProxyClipSpatial, models: ModelPool) -> None:
    clip = observed([BOTH, np.ascontiguousarray(BOTH[:, ::-1])] * 4)
    first = judged(channel, clip, TOLD)
    judged(channel, still(picture({BLUE: LEFT})), "a green tree")
    assert judged(channel, clip, TOLD) == first
    fresh = build_channel("spatial", SPEC, models)
    assert fresh.evaluate(clip, parse_prompt(TOLD), CONTEXT) == first


def test_real_words_give_a_record_too(tmp_path: Path) -> None:
    """Untaught: the tiny models' own words, from their tokenizer on."""
    built = build_channel("spatial", SPEC, pool(tmp_path))
    result = built.evaluate(still(cv2.GaussianBlur(BOTH, (0, 0), 2)), parse_prompt(TOLD), CONTEXT)
    assert result.status == "ok"
    assert result.score is not None
    assert 0 <= result.score <= 1


def test_models_that_are_not_there_are_named(tmp_path: Path) -> None:
    made = pool(tmp_path)
    (tmp_path / "vfm" / "model.safetensors").unlink()
    with pytest.raises(ModelUnavailable, match="vfm"):
        build_channel("spatial", SPEC, made).evaluate(still(BOTH), parse_prompt(TOLD), CONTEXT)


def spot(x: int, y: int = 40, size: int = 20) -> np.ndarray:
    mask = np.zeros((84, 84), bool)
    mask[y : y + size, x : x + size] = True
    return mask


def track(*masks: np.ndarray | None) -> Track:
    blank = np.zeros((84, 84), bool)
    frames = [Frame(10 * i, i / 2, BOTH) for i in range(len(masks))]
    seen = [blank if mask is None else mask for mask in masks]
    return Track(
        Entity("x", "x"),
        tuple(sighting(f, m.astype(np.float32) * 0.8, m) for f, m in zip(frames, seen, strict=True)),
    )


def test_spans_are_the_runs_of_frames_that_show_it() -> None:
    assert track(spot(0), spot(1), None, spot(2), None).spans == [(0.0, 0.5), (1.5, 1.5)]
    assert track(None, None).spans == []
    assert not track(None).found
    assert track(None, spot(1), None).best.frame.index == 10


def test_specks_are_no_thing() -> None:
    size = int((84 * 84 * SMALLEST) ** 0.5)
    assert not track(spot(0, size=size)).found
    assert track(spot(0, size=size + 1)).found
    beside = spot(10) | spot(70, 0, 3)
    place = track(beside).best.place
    assert place is not None
    assert place.mask.sum() == 400, "a speck beside a thing is not part of it"


def test_a_relation_holds_when_most_frames_say_so() -> None:
    left, right = spot(0), spot(60)
    moving = track(left, left, right, None)
    assert check_over_time(moving, "left of", track(right, right, left, right)).holds is True
    assert check_over_time(moving, "right of", track(right, right, left, right)).holds is False
    assert check_over_time(track(left, right), "left of", track(right, left)).holds is None
    assert check_over_time(track(left, None), "left of", track(None, right)).margin is None
    assert check_over_time(track(left), "left of", track(spot(2))).holds is None


def test_presence_is_what_the_likeliest_cells_say() -> None:
    heat = np.zeros((84, 84), np.float32)
    heat[:10, :10] = 0.9
    found: Sighting = sighting(Frame(0, 0.0, BOTH), heat, heat > 0.5)
    assert found.presence == pytest.approx(0.9)
    assert sighting(Frame(0, 0.0, BOTH), heat * 0, heat > 2).presence == 0

"""What every channel promises, on real clips: range, direction, determinism, abstention, no memory of other clips."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from dqa.channels.contract import Channel, EvaluationContext
from dqa.channels.registry import build_channel
from dqa.clip.clip import Clip
from dqa.clip.frame import Frame
from dqa.clip.limits import Limits
from dqa.measure.observation import Observation
from dqa.measure.observe import observe
from dqa.models.pool import ModelPool
from dqa.models.profiles import load_profile
from dqa.prompt import parse_prompt
from dqa.record import ChannelName, ChannelResult
from tests.conftest import CLIPS

PROFILE = load_profile("embedded")
CHANNELS: list[ChannelName] = list(PROFILE.channels)
DESERT = "A vast desert expanse, with golden sands swirling under the midday sun"
CONTEXT = EvaluationContext()


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> ModelPool:
    return ModelPool(PROFILE, tmp_path_factory.mktemp("home"))


def observed(path: Path) -> Observation:
    clip = Clip.open(path, Limits())
    return observe(clip.frames(), lambda: clip.media)


def blurred(observation: Observation) -> Observation:
    """The same clip out of focus, measured again."""
    frames = [Frame(f.index, f.time_s, cv2.GaussianBlur(f.image, (0, 0), 8), f.scale) for f in observation.stills]
    return observe(iter(frames), lambda: observation.media)


@pytest.fixture(scope="module")
def desert() -> Observation:
    return observed(CLIPS / "cogvideox_0.mp4")


@pytest.fixture(scope="module")
def dancers() -> Observation:
    return observed(CLIPS / "wan21_04_base.mp4")


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory, desert: Observation) -> Observation:
    path = tmp_path_factory.mktemp("still") / "desert.png"
    cv2.imwrite(str(path), cv2.cvtColor(desert.stills[0].image, cv2.COLOR_RGB2BGR))
    return observed(path)


@pytest.fixture(scope="module", params=CHANNELS)
def channel(request: pytest.FixtureRequest, pool: ModelPool) -> Channel:
    name: ChannelName = request.param
    return build_channel(name, PROFILE.channels[name], pool)


def parts(result: ChannelResult) -> Mapping[str, float | None]:
    dimensions = {n: d.score for n, d in (result.dimensions or {}).items()}
    return {**dimensions, **{n: a.score for n, a in (result.axes or {}).items()}}


@pytest.mark.parametrize("prompt", [DESERT, "a robot, 4k", "qwertz uiop", "x", "红色的狼", "🐺" * 50, "wolf " * 1500])
def test_range_and_form(channel: Channel, desert: Observation, prompt: str) -> None:
    result = channel.evaluate(desert, parse_prompt(prompt), CONTEXT)
    assert (result.score is None) == (result.status != "ok")
    assert result.reason
    assert result.model is not None
    assert result.model.licence.upper() != "UNKNOWN"
    assert all(score is None or 0 <= score <= 1 for score in parts(result).values())
    json.loads(result.model_dump_json())
    if result.status == "ok":
        assert result.evidence, "a score rests on something"
        assert result.confidence is not None


def test_the_same_clip_gives_the_same_result_whatever_came_before(
    channel: Channel, desert: Observation, dancers: Observation, pool: ModelPool
) -> None:
    prompt = parse_prompt(DESERT)
    first = channel.evaluate(desert, prompt, CONTEXT)
    channel.evaluate(dancers, parse_prompt("Origami dancers in white paper"), CONTEXT)
    fresh = build_channel(channel.facts.name, PROFILE.channels[channel.facts.name], pool)
    assert channel.evaluate(desert, prompt, CONTEXT) == first
    assert fresh.evaluate(desert, prompt, CONTEXT) == first


def test_decoding_again_changes_nothing(channel: Channel, desert: Observation) -> None:
    prompt = parse_prompt(DESERT)
    again = observed(CLIPS / "cogvideox_0.mp4")
    assert channel.evaluate(again, prompt, CONTEXT) == channel.evaluate(desert, prompt, CONTEXT)


def test_a_worse_clip_never_scores_higher(channel: Channel, desert: Observation) -> None:
    """Direction: out of focus is worse for quality; against a foreign prompt is worse for adherence."""
    right = channel.evaluate(desert, parse_prompt(DESERT), CONTEXT)
    if right.score is None:
        pytest.skip(f"{channel.facts.name} has no score here: {right.status}")
    if channel.facts.needs_prompt:
        worse = channel.evaluate(desert, parse_prompt("a sports car racing past a lighthouse"), CONTEXT)
    else:
        worse = channel.evaluate(blurred(desert), parse_prompt(DESERT), CONTEXT)
    assert worse.score is None or worse.score < right.score


def test_a_picture_is_judged_or_abstained_from(channel: Channel, picture: Observation) -> None:
    result = channel.evaluate(picture, parse_prompt(DESERT), CONTEXT)
    assert picture.media.kind == "image"
    assert (result.score is not None) == (channel.facts.stills and result.status == "ok")
    for name, dimension in (result.dimensions or {}).items():
        if name in ("motion_smoothness", "temporal_flickering", "subject_consistency"):
            assert dimension.score is None
            assert dimension.status == "abstained", name


def test_what_no_model_can_see_is_abstained_from(channel: Channel, desert: Observation) -> None:
    if not channel.facts.needs_prompt or channel.facts.name == "preference":
        pytest.skip("the prompt plays no part, or is one thing among many")
    result = channel.evaluate(desert, parse_prompt("justice, irony and the passing of qwertzuiop"), CONTEXT)
    assert result.status == "abstained"
    assert result.score is None


def test_prompt_plays_no_part_where_the_channel_says_so(channel: Channel, desert: Observation) -> None:
    if channel.facts.needs_prompt:
        pytest.skip("the prompt does play a part")
    one, two = (channel.evaluate(desert, parse_prompt(p), CONTEXT) for p in (DESERT, "a red car"))
    assert one == two


def test_a_black_clip_is_not_praised(channel: Channel, desert: Observation) -> None:
    frames = [Frame(f.index, f.time_s, np.zeros_like(f.image), f.scale) for f in desert.track]
    black = observe(iter(frames), lambda: desert.media)
    result = channel.evaluate(black, parse_prompt(DESERT), CONTEXT)
    assert result.score is None or result.score < 0.5

"""An evaluation as features: each read from where it stands; what is missing or malformed is NaN, never 0."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqa.record import Axis, ChannelName, ChannelResult, Dimension, EvaluationRecord
from dqa.taste.features import GROUPS, INDEX, LOOKS, NAMES, TAGS, Judged, centred, difference, features
from dqa.taste.history import NO_HISTORY, History
from dqa.taste.style import NO_STYLE, Style
from dqa.taste.traits import lexicon
from tests.test_record import record

LOOK = {"brightness": 0.25, "contrast": 0.5, "colourfulness": 0.75, "warmth": 1.0, "pace": 0.0}
SHOWN = {"model": "m", "values": [k / 8 for k in range(16)]}


def results(look: Any = LOOK, embedding: Any = SHOWN) -> dict[ChannelName, ChannelResult]:
    return {
        "semantic": ChannelResult(status="ok", score=0.75, reason=""),
        "spatial": ChannelResult(status="abstained", reason=""),
        "benchmark": ChannelResult(
            status="ok",
            score=0.25,
            reason="",
            raw={} if embedding is None else {"embedding": embedding},
            dimensions={
                "imaging_quality": Dimension(score=1.0, raw=None, status="ok"),
                "dynamic_degree": Dimension(score=None, raw=None, status="abstained"),
                "another_profile_s": Dimension(score=0.1, raw=None, status="ok"),
            },
        ),
        "visionreward": ChannelResult(
            status="ok",
            score=0.5,
            reason="",
            raw={} if look is None else {"look": look},
            axes={"motion": Axis(score=0.0, reason="", advice="")},
        ),
    }


def read(name: str, judged: Judged, style: Style = NO_STYLE, history: History = NO_HISTORY) -> float:
    return float(features(judged, style, history)[INDEX[name]])


CLIP = Judged(results(), "a wolf in a dark forest")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("channel:semantic", 1.0),
        ("channel:benchmark", -1.0),
        ("dimension:imaging_quality", 2.0),
        ("axis:motion", -2.0),
        ("look:brightness", -1.0),
        ("look:warmth", 2.0),
        ("tag:animal", 1.0),
        ("tag:city", -1.0),
        ("embedding:3", 3 / 8),
    ],
)
def test_each_is_read_in_its_unit(name: str, value: float) -> None:
    assert read(name, CLIP) == pytest.approx(value)


def test_what_was_not_judged_is_nan() -> None:
    found = {name: value for name, value in zip(NAMES, features(CLIP), strict=True) if math.isnan(value)}
    assert {"channel:spatial", "dimension:dynamic_degree", "dimension:motion_smoothness", "axis:fidelity"} <= set(found)
    assert {"style:likes", "style:dislikes", "history:success", "adapter:reward"} <= set(found)
    nothing = features(Judged({}, ""))
    assert np.isnan(nothing).all()
    assert nothing.shape == (len(NAMES),)


BROKEN = [None, 7, "x", [], {}, {"brightness": None}, {"brightness": "0.5"}, {"brightness": True}, {"brightness": 1.5}]


@pytest.mark.parametrize("look", BROKEN)
def test_a_malformed_look_is_nan(look: Any) -> None:
    assert np.isnan([read(f"look:{name}", Judged(results(look), "x")) for name in LOOKS]).all()


@pytest.mark.parametrize(
    "embedding",
    [
        None,
        [0.0] * 16,
        {"model": "m"},
        {"values": [0.0] * 16},
        {"model": 3, "values": [0.0] * 16},
        {"model": "m", "values": [0.0] * 15},
        {"model": "m", "values": [0.0] * 15 + [None]},
        {"model": "m", "values": [0.0] * 15 + ["0"]},
        {"model": "m", "values": [0.0] * 15 + [1e300]},
        {"model": "m", "values": [0.0] * 15 + [10**400]},
    ],
)
def test_a_malformed_embedding_is_nan_in_every_value(embedding: Any) -> None:
    judged = Judged(results(embedding=embedding), "x")
    assert np.isnan([read(name, judged) for name in GROUPS["embedding"]]).all()
    assert math.isnan(read("history:success", judged, history=History().remember([([1.0] * 16, 1.0)])))


LEAVES = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
JSON = st.recursive(
    LEAVES, lambda x: st.lists(x) | st.dictionaries(st.sampled_from([*LOOKS, *SHOWN]), x), max_leaves=20
)


@settings(deadline=None)
@given(JSON)
def test_no_raw_value_breaks_it(raw: Any) -> None:
    vector = features(Judged(results(raw, raw), "x"), Style.of(["warm"]), History().remember([([1.0] * 16, 1.0)]))
    assert vector.shape == (len(NAMES),)
    assert not np.isinf(vector).any()


@pytest.mark.parametrize("reward", [math.nan, math.inf, None])
def test_no_reward_is_nan(reward: float | None) -> None:
    assert math.isnan(read("adapter:reward", Judged({}, "x", reward)))
    assert read("adapter:reward", Judged({}, "x", -0.5)) == -0.5


def test_embeddings_of_another_model_are_never_mixed() -> None:
    ours, theirs = History(model="m").remember([([1.0] * 16, 1.0)]), History(model="n").remember([([1.0] * 16, 1.0)])
    assert read("embedding:3", CLIP, history=ours) == pytest.approx(3 / 8)
    assert read("history:success", CLIP, history=ours) > 0
    assert math.isnan(read("embedding:3", CLIP, history=theirs))
    assert math.isnan(read("history:success", CLIP, history=theirs))


def test_style_is_read_from_prompt_and_look() -> None:
    style = Style.of(["wolves", "warm colours"], ["forests"])
    assert read("style:likes", CLIP, style) == pytest.approx((0.75 - 0.5) / 0.25)
    assert read("style:dislikes", CLIP, style) == pytest.approx(0.0)
    assert math.isnan(read("style:dislikes", CLIP, Style.of(["wolves"])))


def test_an_older_record_has_features_too() -> None:
    plain = EvaluationRecord.from_json(json.dumps(json.loads(record().to_json())))
    vector = features(Judged.of(plain))
    assert np.isnan(vector[[INDEX[f"look:{name}"] for name in LOOKS]]).all()
    assert not np.isnan(vector).all()


def test_tags_are_those_of_the_lexicon() -> None:
    assert tuple(lexicon()) == TAGS


def test_names_are_each_once_and_grouped() -> None:
    assert len(set(NAMES)) == len(NAMES) == sum(map(len, GROUPS.values()))


def test_what_one_side_lacks_says_nothing() -> None:
    a, b = features(CLIP), features(Judged({}, "a wolf in a dark forest"))
    gap = difference(a, b)
    assert gap[INDEX["channel:semantic"]] == 0
    assert gap[INDEX["tag:animal"]] == 0
    assert centred(a, [b])[INDEX["channel:semantic"]] == 0

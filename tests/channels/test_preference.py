"""Preference: unavailable, then learning, then a chance with its reasons."""

from __future__ import annotations

from typing import cast

import pytest

from dqa.channels.contract import EvaluationContext
from dqa.channels.preference import TastePreference
from dqa.measure.observation import Observation
from dqa.models.pool import ModelPool
from dqa.prompt.parse import Prompt
from dqa.record import ChannelName, ChannelResult, Dimension
from dqa.taste.choice import Choice
from dqa.taste.features import Judged, features
from dqa.taste.learn import learn
from dqa.taste.taste import Taste

NOTHING = cast("Observation", None)
CHANNEL = TastePreference(cast("ModelPool", None))


def results(smooth: float | None) -> dict[ChannelName, ChannelResult]:
    dimension = Dimension(score=smooth, raw=None, status="ok" if smooth is not None else "abstained")
    return {
        "semantic": ChannelResult(status="ok", score=0.5, reason="r"),
        "benchmark": ChannelResult(status="ok", score=0.5, reason="r", dimensions={"motion_smoothness": dimension}),
    }


def taste(n: int) -> Taste:
    pairs = [
        (features(Judged(results(0.9), "p")), features(Judged(results(0.2 + 0.01 * (i % 40)), "p"))) for i in range(n)
    ]
    return learn([Choice(a, b, "a") for a, b in pairs], version=7)


def judge(smooth: float | None, known: Taste | None) -> ChannelResult:
    return CHANNEL.evaluate(NOTHING, Prompt("x"), EvaluationContext("mira", 0, known, results(smooth)))


@pytest.mark.parametrize("known", [None, taste(0)])
def test_without_choices_it_is_unavailable(known: Taste | None) -> None:
    result = judge(0.9, known)
    assert (result.status, result.score, result.raw["choices_seen"]) == ("unavailable", None, 0)
    assert "mira" in result.reason


def test_after_a_few_choices_it_is_learning_and_says_how_many_more() -> None:
    result = judge(0.9, taste(2))
    assert (result.status, result.score) == ("abstained", None)
    assert "more choices" in result.reason
    assert result.raw["choices_seen"] == 2


def test_after_enough_choices_it_gives_a_chance_and_its_reasons() -> None:
    good, bad = judge(0.95, taste(80)), judge(0.1, taste(80))
    assert good.score is not None
    assert bad.score is not None
    assert 0 < bad.score < 0.5 < good.score < 1
    assert "motion smoothness speaks for it" in good.reason
    assert "motion smoothness speaks against it" in bad.reason
    assert good.raw["version"] == 7
    assert good.confidence is not None


def test_what_was_not_judged_moves_nothing() -> None:
    assert judge(None, taste(80)).score is None  # nothing is known of such a clip: it abstains

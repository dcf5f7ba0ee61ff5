"""Preference: unavailable, then learning, then a chance with its reasons; and it moves the grade of a near-tie."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from types import SimpleNamespace
from typing import cast

import pytest

from dqa.channels.contract import EvaluationContext, RewardSource
from dqa.channels.preference import TastePreference
from dqa.measure.observation import Observation
from dqa.models.pool import ModelPool
from dqa.prompt.parse import Prompt
from dqa.record import ChannelName, ChannelResult, Dimension, EvaluationRecord
from dqa.synthesis import synthesise
from dqa.taste.choice import Choice
from dqa.taste.features import INDEX, Judged, features
from dqa.taste.learn import learn
from dqa.taste.resolve import Meta, resolve
from dqa.taste.style import Style
from dqa.taste.taste import Taste

OBSERVATION = cast("Observation", SimpleNamespace(media=SimpleNamespace(sha256="5" * 64)))


def channel(profile: str = "embedded") -> TastePreference:
    return TastePreference(cast("ModelPool", SimpleNamespace(profile=SimpleNamespace(name=profile))))


def results(smooth: float | None, warmth: float | None = None) -> dict[ChannelName, ChannelResult]:
    dimension = Dimension(score=smooth, raw=None, status="ok" if smooth is not None else "abstained")
    raw = {} if warmth is None else {"look": {"warmth": warmth}}
    return {
        "semantic": ChannelResult(status="ok", score=0.5, reason="r"),
        "benchmark": ChannelResult(status="ok", score=0.5, reason="r", dimensions={"motion_smoothness": dimension}),
        "visionreward": ChannelResult(status="ok", score=0.5, reason="r", raw=raw),
    }


def taste(n: int) -> Taste:
    pairs = [
        (features(Judged(results(0.9), "p")), features(Judged(results(0.2 + 0.01 * (i % 40)), "p"))) for i in range(n)
    ]
    return learn([Choice(a, b, "a") for a, b in pairs], version=7)


def judge(smooth: float | None, known: Taste | None, rewards: RewardSource | None = None) -> ChannelResult:
    context = EvaluationContext("mira", 0, known, results(smooth), rewards)
    return channel().evaluate(OBSERVATION, Prompt("x"), context)


@pytest.mark.parametrize("known", [None, taste(0)])
def test_without_choices_it_is_unavailable(known: Taste | None) -> None:
    result = judge(0.9, known)
    assert (result.status, result.score, result.raw["choices_seen"]) == ("unavailable", None, 0)
    assert "mira" in result.reason
    assert "dqa choose" in result.reason


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"profile": "rtx3090"}, "learned from scores of profile rtx3090"),
        ({"features_version": 1}, "learned by another version of DQA"),
        ({"features": ("channel:semantic",)}, "learned by another version of DQA"),
    ],
)
def test_a_taste_of_something_else_judges_nothing_and_says_what_to_do(changed: dict[str, object], why: str) -> None:
    result = judge(0.9, taste(80).model_copy(update=changed))
    assert (result.status, result.score) == ("unavailable", None)
    assert why in result.reason
    assert "dqa tuner step" in result.reason
    assert (result.raw["version"], result.raw["choices_seen"]) == (7, 80)


def test_after_a_few_choices_it_is_learning_and_says_how_many_more() -> None:
    result = judge(0.9, taste(2))
    assert (result.status, result.score) == ("abstained", None)
    assert result.reason.startswith(f"Learning: about {result.raw['more_choices']} more choices")
    assert result.raw["choices_seen"] == 2


@pytest.mark.parametrize("n", [1, 2, 40])
def test_choices_on_one_pair_do_not_make_it_speak_of_that_pair(n: int) -> None:
    good, bad = (features(Judged(results(x), "p")) for x in (0.9, 0.2))
    known = learn([Choice(good, bad, "a", clips=("good", "bad"))] * n, version=7)
    assert known.posterior().known_share(known.offset(good)) > 0
    result = judge(0.9, known)
    assert (result.status, result.score) == ("abstained", None)
    assert cast("int", result.raw["more_choices"]) >= 19
    other = judge(0.9, taste(19))
    assert other.status == "abstained"
    assert "Learning: about 1 more choice until" in other.reason
    assert judge(0.9, taste(20)).status == "ok"


def test_after_enough_choices_it_gives_a_chance_and_its_reasons() -> None:
    good, bad = judge(0.95, taste(80)), judge(0.1, taste(80))
    assert good.score is not None
    assert bad.score is not None
    assert 0 < bad.score < 0.5 < good.score < 1
    assert "speaks for it: higher motion smoothness than typical (+" in good.reason
    assert "speaks against it: lower motion smoothness than typical (-" in bad.reason
    assert good.raw["version"] == 7
    assert good.confidence is not None
    interval = good.raw["interval"]
    assert isinstance(interval, list)
    assert cast("float", interval[0]) < good.score < cast("float", interval[1])
    assert list(cast("dict[str, float]", good.raw["pushes"])) == ["dimension:motion_smoothness"]


def test_what_is_said_of_a_scale_is_said_beside_the_typical_clip() -> None:
    """All clips that were chosen between are bright: one of them is less bright than typical, and not dark."""

    def shown(warmth: float) -> Judged:
        return Judged(results(0.5, warmth), "p")

    pairs = [(shown(0.95), shown(0.7 + 0.005 * i)) for i in range(40)]
    known = learn([Choice(features(a), features(b), "a") for a, b in pairs], version=1)
    context = EvaluationContext("mira", 0, known, results(0.5, 0.7))
    told = channel().evaluate(OBSERVATION, Prompt("p"), context)
    assert "speaks against it: lower warmth of colour than typical (-" in told.reason
    assert "cool" not in told.reason


def test_what_was_not_judged_moves_nothing() -> None:
    assert judge(None, taste(80)).score is None  # nothing is known of such a clip: it abstains


def test_what_the_user_says_they_like_counts() -> None:
    style = Style.of(["wolves"])
    shown = {wolf: Judged(results(0.5), f"a {wolf} in the snow") for wolf in ("wolf", "hen")}
    log = [(shown["wolf"], shown["hen"], Meta("a", clips=(f"ev_{i}", f"ev_{i}b"), seq=i)) for i in range(30)]
    fond, blind = (learn(resolve(log, said)[0], version=1, style=said, profile="embedded") for said in (style, Style()))

    def score(known: Taste, prompt: str) -> ChannelResult:
        return channel().evaluate(OBSERVATION, Prompt(prompt), EvaluationContext("mira", 0, known, results(0.5)))

    wanted, other = score(fond, "a wolf in the snow"), score(fond, "a hen in the snow")
    assert cast("float", wanted.score) > 0.6 > 0.4 > cast("float", other.score)
    assert "speaks for it: higher match with your likes than typical" in wanted.reason
    assert "your likes" not in score(blind, "a wolf in the snow").reason


@dataclass
class Adapter:
    """A reward source that gives one number."""

    number: float | None

    def reward(self, user: str, taste: Taste, judged: Judged, sha256: str) -> float | None:
        assert (user, taste.adapter, judged.prompt, sha256) == ("mira", "ad_1", "x", "5" * 64)
        return self.number

    def why(self) -> str | None:
        return "the adapter was trained on this clip"


def test_an_adapter_s_reward_moves_the_score_and_a_missing_one_is_named() -> None:
    base = taste(80)
    mean = list(base.mean)
    mean[INDEX["adapter:reward"]] = 1.0
    typical = [*base.typical]
    typical[INDEX["adapter:reward"]] = 0.0
    known = base.model_copy(update={"adapter": "ad_1", "mean": tuple(mean), "typical": tuple(typical)})
    high, low, none, off = (judge(0.8, known, a) for a in (Adapter(1.0), Adapter(-1.0), Adapter(None), None))
    assert cast("float", low.score) < cast("float", none.score) < cast("float", high.score)
    assert (high.raw["reward"], none.raw["reward"], high.raw["adapter"]) == (1.0, None, "ad_1")
    assert "trained on this clip" in none.reason
    assert "off here" in off.reason
    assert "language model" not in judge(0.8, base, Adapter(1.0)).reason  # a taste without one never asks


def chosen(records: dict[str, EvaluationRecord], order: list[str], n: int) -> Taste:
    """The taste after the first n choices between clips, the one earlier in ``order`` preferred each time."""
    judged = {key: Judged.of(record) for key, record in records.items()}
    pairs = sorted(combinations(order, 2), key=lambda pair: (order.index(pair[0]) * 5 + order.index(pair[1]) * 3) % 8)
    log = [
        (judged[a], judged[b], Meta("a", clips=(a, b), seq=i + 1, left="ab"[i % 2]))  # type: ignore[arg-type]
        if i % 3
        else (judged[b], judged[a], Meta("b", clips=(b, a), seq=i + 1))
        for i, (a, b) in enumerate(pairs[:n])
    ]
    choices, history = resolve(log)
    return learn(choices, version=n, history=history)


def regraded(record: EvaluationRecord, known: Taste) -> tuple[ChannelResult, EvaluationRecord]:
    others = {name: result for name, result in record.channels.items() if name != "preference"}
    context = EvaluationContext(record.user, 0, known, others)
    preference = channel().evaluate(OBSERVATION, Prompt(record.prompt), context)
    verdict = synthesise({**others, "preference": preference})
    return preference, record.model_copy(update={"final": verdict.final, "grade": verdict.grade})


@pytest.mark.slow
@pytest.mark.parametrize("likes", ["warmth", "-pace", "-colourfulness"])
def test_twenty_five_choices_between_real_clips_move_the_verdict(
    graded: dict[str, EvaluationRecord], likes: str
) -> None:
    records = graded
    sign, name = (-1.0, likes[1:]) if likes.startswith("-") else (1.0, likes)

    def liked(key: str) -> float:
        look = records[key].channels["visionreward"].raw["look"]
        return sign * cast("float", cast("dict[str, float]", look)[name])

    order = sorted(records, key=liked, reverse=True)
    known = chosen(records, order, 25)
    verdicts = {key: regraded(records[key], known) for key in order}
    spoken = [key for key, (preference, _) in verdicts.items() if preference.status == "ok"]
    assert len(spoken) >= 6, "it speaks for most of the clips it was taught with"
    scores = {key: cast("float", verdicts[key][0].score) for key in spoken}
    agree = [scores[a] > scores[b] for a, b in combinations(spoken, 2)]
    assert sum(agree) / len(agree) > 0.8
    assert max(scores.values()) > 0.7 > 0.3 > min(scores.values())
    for key in spoken:
        moved = cast("float", verdicts[key][1].final) - cast("float", records[key].final)
        assert moved * (scores[key] - cast("float", records[key].final)) > 0, "towards what the user thinks of it"
    assert any(verdicts[key][1].grade != records[key].grade for key in spoken)


@pytest.mark.slow
def test_it_decides_a_near_tie(graded: dict[str, EvaluationRecord]) -> None:
    records = graded
    base, flex = "wan21_04_base", "wan21_04_flex"
    assert records[base].grade == records[flex].grade == "B+"
    rest = [key for key in sorted(records) if key not in (base, flex)]
    for first, last in ((base, flex), (flex, base)):
        known = chosen(records, [first, *rest, last], 28)
        (won, better), (lost, worse) = regraded(records[first], known), regraded(records[last], known)
        assert (won.status, lost.status) == ("ok", "ok")
        assert cast("float", better.final) > cast("float", worse.final) + 0.05
        assert better.grade != worse.grade

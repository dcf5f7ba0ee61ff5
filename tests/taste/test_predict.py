"""A prediction: symmetrical, honest about what it does not know, and in words."""

from __future__ import annotations

import pytest

from dqa.errors import UsageError
from dqa.record import ChannelName, ChannelResult, Dimension, EvaluationRecord
from dqa.taste.choice import Choice
from dqa.taste.features import Judged, features
from dqa.taste.learn import learn
from dqa.taste.predict import check_comparable, predict
from dqa.taste.taste import Taste
from tests.test_record import record


def judged(smooth: float | None, prompt: str = "a red kite", shown: float | None = None) -> Judged:
    dimension = Dimension(score=smooth, raw=None, status="ok" if smooth is not None else "abstained")
    embedding = {"embedding": {"model": "m", "values": [shown] * 16}} if shown is not None else {}
    results: dict[ChannelName, ChannelResult] = {
        "semantic": ChannelResult(status="ok", score=0.5, reason="r"),
        "benchmark": ChannelResult(
            status="ok", score=0.5, reason="r", dimensions={"motion_smoothness": dimension}, raw={**embedding}
        ),
    }
    return Judged(results, prompt)


def taste(n: int, good: Judged = judged(0.9), bad: Judged = judged(0.3)) -> Taste:  # noqa: B008 - immutable
    return learn([Choice(features(good), features(bad), "a") for _ in range(n)], version=7)


def test_swapping_the_clips_swaps_the_chance() -> None:
    one, other = (predict(taste(60), judged(x), judged(y)) for x, y in ((0.9, 0.2), (0.2, 0.9)))
    assert one.p_a > 0.7
    assert one.p_a + other.p_a == pytest.approx(1)
    assert one.interval[0] < one.p_a < one.interval[1]
    assert one.interval == pytest.approx([1 - p for p in reversed(other.interval)])
    assert (one.version, one.abstained) == (7, False)
    assert one.because[0].startswith("motion smoothness is higher in A than in B, which speaks for A (+")
    assert other.because[0].startswith("motion smoothness is higher in B than in A, which speaks for B (-")


def test_without_a_usable_taste_the_prior_speaks_and_it_abstains() -> None:
    stale = taste(60).model_copy(update={"features_version": 1})
    for known in (None, stale):
        found = predict(known, judged(0.9), judged(0.2))
        assert (found.version, found.abstained) == (None, True)
        assert 0.5 < found.p_a < 0.7
    assert predict(None, judged(None), judged(0.2)).p_a == pytest.approx(0.5)
    assert (predict(None, judged(0.9), judged(0.2)).more_choices, found.more_choices) == (35, None)


def test_it_abstains_until_enough_different_pairs_were_chosen_between() -> None:
    good, bad = judged(0.9), judged(0.3)
    one_pair = learn([Choice(features(good), features(bad), "a", clips=("g", "b"))] * 60, version=7)
    found = predict(one_pair, good, bad)
    assert one_pair.posterior().known_share(features(good)) >= 0
    assert (found.abstained, found.more_choices) == (True, 19)
    assert [predict(taste(n), good, bad).more_choices for n in (19, 20)] == [1, 0]


def test_equal_clips_are_even_and_there_is_nothing_to_say() -> None:
    found = predict(taste(60), judged(0.5), judged(0.5))
    assert found.p_a == pytest.approx(0.5)
    assert found.because == ()


def test_what_is_shown_is_one_reason_and_a_trait_is_said_as_a_trait() -> None:
    people, kite = judged(0.5, "a man and a woman dance", 2.0), judged(0.5, "a red kite", -2.0)
    known = learn([Choice(features(people), features(kite), "b")] * 80, version=1)
    told = predict(known, people, kite).because
    assert sum("embedding" in reason for reason in told) == 1
    assert any(reason.startswith("what is shown (embedding) speaks for B (-") for reason in told)
    assert any(reason.startswith("only A asks for people, which speaks for B (-") for reason in told)


def test_evaluations_of_two_profiles_are_not_compared() -> None:
    here: EvaluationRecord = record()
    elsewhere = here.model_copy(update={"profile": "rtx3090"})
    check_comparable(here, here)
    with pytest.raises(UsageError, match="rtx3090"):
        check_comparable(here, elsewhere)

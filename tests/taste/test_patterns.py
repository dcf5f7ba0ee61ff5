"""Patterns: found where they are, seldom where they are not, each said once, the newest first, in words that act."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from dqa.taste.choice import Choice, Outcome
from dqa.taste.distinct import distinct
from dqa.taste.features import INDEX, NAMES
from dqa.taste.patterns import MOST, NEWEST, Pattern, failure_patterns, key_of, winning_patterns
from dqa.taste.sign_test import believed, sign_test

SMOOTH, BENCHMARK = "dimension:motion_smoothness", "channel:benchmark"
Liking = Callable[[np.ndarray], float]


def clip(rng: np.random.Generator) -> np.ndarray:
    """Independent features; the benchmark is the mean of its dimensions, and more."""
    values = rng.normal(size=len(NAMES)) * 0.8
    dimensions = [i for i, name in enumerate(NAMES) if name.startswith("dimension:")]
    values[INDEX[BENCHMARK]] = values[dimensions].mean() * 2 + 0.3 * values[INDEX[SMOOTH]]
    values[INDEX["axis:motion"]] = values[INDEX[SMOOTH]] + 0.2 * rng.normal()
    return values


def choose(n: int, seed: int, liking: Liking, flips: float = 0.05) -> list[Choice]:
    rng = np.random.default_rng(seed)
    made: list[Choice] = []
    for _ in range(n):
        a, b = clip(rng), clip(rng)
        likes_a = liking(a) > liking(b) if rng.random() >= flips else rng.random() < 0.5
        made.append(Choice(a, b, "a" if likes_a else "b"))
    return made


def smooth(values: np.ndarray) -> float:
    return float(values[INDEX[SMOOTH]])


def features(patterns: tuple[Pattern, ...]) -> list[str]:
    return [pattern.feature for pattern in patterns]


def test_what_decides_is_found_and_said_with_its_count_and_what_to_do() -> None:
    first = failure_patterns(choose(40, 1, smooth))[0]
    assert (first.feature, first.way, first.fate) == (SMOOTH, "low", "rejected")
    assert first.sentence().startswith("low motion smoothness (below about 0.")
    assert f"rejected in {first.count} of {first.of} choices that differ in it (90 % interval " in first.sentence()
    assert first.sentence().endswith("; ask for slower, simpler motion")
    best = winning_patterns(choose(40, 1, smooth))[0]
    assert (best.feature, best.way, best.fate) == (SMOOTH, "high", "chosen")
    assert best.sentence().startswith("high motion smoothness (above about 0.")
    assert (best.count, best.of, best.low, best.high) == (first.count, first.of, first.low, first.high)


@pytest.mark.parametrize("n", [12, 40, 120])
def test_choices_at_random_make_hardly_any_pattern(n: int) -> None:
    said = [len(failure_patterns(choose(n, seed, lambda _: 0.0, flips=1.0))) for seed in range(150)]
    assert np.mean([count > 0 for count in said]) <= 0.1 + 0.05  # the level, and two standard errors
    assert np.mean(said) < 0.3


def test_one_finding_is_said_once_by_its_most_specific_name() -> None:
    choices = choose(80, 2, smooth)
    for found in (features(failure_patterns(choices)), features(winning_patterns(choices))):
        assert found[0] == SMOOTH
        assert BENCHMARK not in found
        assert "axis:motion" not in found


def test_a_channel_is_named_when_none_of_its_parts_is() -> None:
    found = features(failure_patterns(choose(80, 3, lambda values: float(values[INDEX["channel:semantic"]]))))
    assert found[0] == "channel:semantic"
    assert distinct({BENCHMARK: 0.9}, np.zeros((4, len(NAMES)))) == {BENCHMARK}


def test_what_a_user_likes_now_comes_first_and_what_they_turned_from_is_not_said() -> None:
    loved = choose(150, 4, smooth)
    now_bright = [*loved, *choose(NEWEST, 5, lambda values: float(values[INDEX["look:brightness"]]))]
    first = failure_patterns(now_bright)[0]
    assert (first.feature, first.newest) == ("look:brightness", True)
    assert f"rejected in {first.count} of the newest {first.of} choices" in first.sentence()
    turned = {p.feature: p for p in failure_patterns([*loved, *choose(NEWEST, 5, lambda values: -smooth(values))])}
    assert turned[SMOOTH].way == "high"
    unsure = {p.feature for p in failure_patterns([*loved, *choose(8, 5, lambda values: -smooth(values), flips=0.0)])}
    assert SMOOTH in unsure  # a few choices to the contrary are no turn


def test_a_flood_of_one_pair_counts_once() -> None:
    rng = np.random.default_rng(0)
    a, b = clip(rng), clip(rng)
    flood = [Choice(a, b, "a", clips=("x", "y") if n % 2 else ("y", "x")) for n in range(300)]
    assert failure_patterns(flood) == ()
    apart = [Choice(a, b, "a", clips=(f"x{n}", f"y{n}")) for n in range(30)]
    assert failure_patterns(apart)


def test_bounded_and_what_no_prompt_can_change_is_not_named() -> None:
    rng = np.random.default_rng(1)
    better, worse = np.full((2, 60, len(NAMES)), 0.0)
    better += 1 + rng.normal(size=better.shape) * 0.1
    worse += rng.normal(size=worse.shape) * 0.1
    everything = [Choice(a, b, "a", why=("sharper",)) for a, b in zip(better, worse, strict=True)]
    for found in (failure_patterns(everything), winning_patterns(everything)):
        assert 1 < len(found) <= MOST
        assert not any(name.startswith(("embedding:", "history:", "adapter:")) for name in features(found))


def test_prompt_traits_and_ticked_reasons_are_said_in_their_own_words() -> None:
    rng = np.random.default_rng(2)
    made: list[Choice] = []
    for n in range(40):
        a, b = clip(rng), clip(rng)
        a[INDEX["tag:people"]], b[INDEX["tag:people"]] = (1.0, -1.0) if n % 2 else (-1.0, 1.0)
        chosen: Outcome = "b" if n % 2 else "a"  # never the one with people
        made.append(Choice(a, b, chosen, why=('Nicer "light": (warm)\n',) if n % 3 == 0 else ()))
    sentences = [pattern.sentence() for pattern in failure_patterns(made)]
    assert any(s.startswith("prompts with people: rejected in 40 of 40 ") for s in sentences)
    assert any(s.endswith("; leave people out") for s in sentences)
    assert any(s.startswith('decided by "Nicer light warm": the reason in 14 of 14 choices') for s in sentences)
    wins = [pattern.sentence() for pattern in winning_patterns(made)]
    assert any(s.startswith("prompts with no people: chosen in 40 of 40 ") for s in wins)
    assert all("\n" not in s for s in (*sentences, *wins))


def test_more_choices_do_not_make_a_pattern_new() -> None:
    choices = choose(60, 6, smooth)
    few, many = failure_patterns(choices[:40]), failure_patterns(choices)
    assert few[0].sentence() != many[0].sentence()
    assert few[0].key == many[0].key
    for pattern in (*many, *winning_patterns(choices)):
        assert key_of(pattern.sentence()) == pattern.key


def test_ties_and_what_was_not_judged_tell_nothing() -> None:
    choices = choose(60, 7, smooth)
    assert failure_patterns([Choice(c.a, c.b, "tie") for c in choices]) == ()
    assert failure_patterns([]) == ()
    blind = [Choice(np.where(np.arange(len(NAMES)) == INDEX[SMOOTH], math.nan, c.a), c.b, c.chosen) for c in choices]
    assert SMOOTH not in features(failure_patterns(blind))


@pytest.mark.parametrize(("count", "of"), [(14, 16), (2, 16), (8, 16), (60, 101), (400, 1000)])
def test_the_sign_test_agrees_with_scipy(count: int, of: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert sign_test(count, of) == pytest.approx(stats.binomtest(count, of).pvalue, rel=0.02, abs=1e-9)


def test_false_discovery_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    chances = np.random.default_rng(3).random(40) ** 4
    assert believed(list(chances), 0.1) == list(stats.false_discovery_control(chances) <= 0.1)
    assert believed([], 0.1) == []

"""Likes and dislikes: only what the choices taught and is sure, the strong said as strong, nothing twice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dqa.taste.choice import Choice
from dqa.taste.explain import EMBEDDING, MOST, SURE, likes_and_dislikes, likings, pushes
from dqa.taste.features import GROUPS, INDEX, NAMES
from dqa.taste.learn import learn
from dqa.taste.taste import Taste


def taste(n: int, liking: Callable[[np.ndarray], float], seed: int = 0) -> Taste:
    rng = np.random.default_rng(seed)
    pairs = rng.normal(size=(n, 2, len(NAMES)))
    return learn(
        [
            Choice(a, b, "a" if liking(a) > liking(b) else "b", clips=(f"a{i}", f"b{i}"), seq=i + 1)
            for i, (a, b) in enumerate(pairs)
        ],
        1,
    )


def of(name: str) -> Callable[[np.ndarray], float]:
    return lambda values: float(values[INDEX[name]])


def test_what_decides_is_liked_and_its_opposite_disliked() -> None:
    likes, dislikes = likes_and_dislikes(taste(150, of("dimension:motion_smoothness")))
    assert likes[0] == "smooth motion (strongly)"
    assert dislikes[0] == "jerky motion (strongly)"
    likes, dislikes = likes_and_dislikes(taste(150, lambda v: -v[INDEX["look:brightness"]]))
    assert likes[0].startswith("dark pictures")
    assert dislikes[0].startswith("bright pictures")


def test_a_trait_that_is_not_wanted_is_only_disliked() -> None:
    likes, dislikes = likes_and_dislikes(taste(150, lambda v: -v[INDEX["tag:people"]]))
    assert dislikes[0] == "people (strongly)"
    assert not any("people" in like for like in likes)


def test_nothing_is_said_of_what_is_not_known() -> None:
    assert likes_and_dislikes(None) == ((), ())
    assert likes_and_dislikes(learn([], 1)) == ((), ())
    assert likes_and_dislikes(taste(150, of("look:pace")).model_copy(update={"features_version": 1})) == ((), ())


def test_strength_is_said_only_of_what_is_sure() -> None:
    few = likes_and_dislikes(taste(12, of("dimension:motion_smoothness")))
    assert few[0]
    assert not any(word in text for text in (*few[0], *few[1]) for word in ("strongly", "clearly", "a little"))
    for liking in likings(taste(150, of("dimension:motion_smoothness"))):
        assert (liking.strength == " (it seems)") == (liking.sureness < SURE)


def test_the_opinion_of_others_is_not_said_to_be_this_user_s() -> None:
    known = taste(6, of("look:pace"))
    everybody = {"mean": tuple(3.0 if name == "look:warmth" else 0.0 for name in NAMES)}
    told = known.model_copy(update={**everybody, "prior_mean": everybody["mean"]})
    assert likes_and_dislikes(told) == ((), ())
    mine = known.model_copy(update=everybody)
    assert likes_and_dislikes(mine)[0] == ("warm colours (strongly)",)


def test_random_choices_seldom_make_a_sure_liking() -> None:
    rng = np.random.default_rng(1)
    found = [likings(taste(100, lambda _: float(rng.random()), seed)) for seed in range(8)]
    assert np.mean([sum(liking.sureness >= SURE for liking in each) for each in found]) < 3.1  # one in ten of 31
    assert not any("strongly" in liking.strength for each in found for liking in each)


def test_bounded_and_a_channel_gives_way_to_its_parts() -> None:
    everything = likings(taste(300, lambda v: float(v.sum())))
    assert 1 < len(everything) <= MOST + 1
    benchmark = taste(150, lambda v: float(v[INDEX["channel:benchmark"]] + v[INDEX["dimension:imaging_quality"]]))
    likes, _ = likes_and_dislikes(benchmark)
    assert any("sharp" in like for like in likes)
    assert not any("measured quality" in like for like in likes)


def test_what_is_shown_is_told_as_one_thing() -> None:
    weights = np.zeros(len(NAMES))
    weights[[INDEX[name] for name in GROUPS["embedding"]]] = 1.0
    likes, dislikes = likes_and_dislikes(taste(200, lambda v: float(v @ weights)))
    assert [text for text in (*likes, *dislikes) if "embedding" in text] == [
        "certain kinds of picture, by what is shown (embedding)"
    ]
    found = pushes(weights, np.ones(len(NAMES)))
    assert (found[0].feature, found[0].value) == (EMBEDDING, 16.0)
    assert not any(push.feature.startswith("embedding:") for push in found)

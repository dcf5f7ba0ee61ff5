"""Likes and dislikes: only what the choices taught and is sure, the strong said as strong, nothing twice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dqa.taste.choice import Choice
from dqa.taste.explain import EMBEDDING, likes_and_dislikes, pushes
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
    few = taste(4, of("dimension:motion_smoothness"))
    assert likes_and_dislikes(few) == ((), ())
    assert likes_and_dislikes(taste(150, of("look:pace")).model_copy(update={"features_version": 1})) == ((), ())


def test_the_opinion_of_others_is_not_said_to_be_this_user_s() -> None:
    known = taste(6, of("look:pace"))
    sure = tuple(3.0 if name == "look:warmth" else mean for name, mean in zip(NAMES, known.mean, strict=True))
    assert not any("warm" in like for like in likes_and_dislikes(known.model_copy(update={"mean": sure}))[0])


def test_random_choices_seldom_make_a_liking() -> None:
    rng = np.random.default_rng(1)
    said = [sum(map(len, likes_and_dislikes(taste(100, lambda _: float(rng.random()), seed)))) for seed in range(10)]
    assert np.mean(said) < 6  # of 31 features, one in ten at the 90 % level, each said on two sides


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

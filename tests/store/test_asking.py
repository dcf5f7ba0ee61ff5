"""What a user is asked next: their own clips, each pair once, never another user's, and again after a reset."""

from __future__ import annotations

from pathlib import Path

import pytest

from dqa.errors import UsageError
from dqa.record import EvaluationRecord
from dqa.store import Store
from dqa.store.asking import MOST
from dqa.store.selections import Selection
from dqa.taste.ask import Pair
from tests.store.test_choices import evaluation
from tests.store.test_versions import choose


def graded(
    store: Store,
    name: str,
    smooth: float,
    user: str = "u",
    prompt: str = "a wolf",
    profile: str = "embedded",
    sha: str = "",
) -> EvaluationRecord:
    base = evaluation(name, smooth)
    media = base.media.model_copy(update={"sha256": (sha or name).ljust(64, "0")})
    made = base.model_copy(update={"user": user, "prompt": prompt, "profile": profile, "media": media})
    store.save_record(made, Path(f"{name}.mp4"))
    return made


def chose(store: Store, a: str, b: str, user: str = "u") -> None:
    store.selections.add(Selection(user, f"{a}-{b}", f"ev_{a}", f"ev_{b}", "a"))


def ids(pair: Pair) -> set[str]:
    return {pair.a.id, pair.b.id}


def first(store: Store, **how: object) -> set[str] | None:
    found = store.asking.pairs("u", "embedded", **how)  # type: ignore[arg-type]
    return ids(found[0]) if found else None


def test_two_different_clips_of_the_user_and_profile_are_needed(store: Store) -> None:
    graded(store, "a", 0.9)
    graded(store, "other", 0.1, user="v")
    graded(store, "elsewhere", 0.1, profile="rtx3090")
    graded(store, "again", 0.9, sha="a")
    assert first(store) is None
    graded(store, "b", 0.2)
    assert first(store) in ({"ev_a", "ev_b"}, {"ev_again", "ev_b"})
    assert store.asking.pairs("v", "embedded") == []


def test_a_pair_is_asked_once_whoever_is_left_and_whichever_evaluation_of_it(store: Store) -> None:
    for name, smooth in (("a", 0.9), ("b", 0.2), ("c", 0.5)):
        graded(store, name, smooth)
    assert first(store) == {"ev_a", "ev_b"}
    chose(store, "b", "a")
    graded(store, "b2", 0.2, sha="b")
    assert first(store) != {"ev_a", "ev_b2"}
    chose(store, "a", "c")
    chose(store, "c", "b2")
    last = store.asking.pairs("u", "embedded")
    assert last[0].again
    assert ids(last[0]) == {"ev_a", "ev_b2"}


def test_a_pair_that_was_passed_over_comes_after_the_others(store: Store) -> None:
    for name, smooth in (("a", 0.9), ("b", 0.2), ("c", 0.5)):
        graded(store, name, smooth)
    assert first(store, passed_over=[frozenset({"ev_a", "ev_b"}), frozenset({"ev_gone", "ev_a"})]) != {"ev_a", "ev_b"}


def test_one_prompt_is_preferred_and_can_be_asked_for(store: Store) -> None:
    graded(store, "a", 0.9)
    graded(store, "b", 0.3)
    graded(store, "c", 0.25, prompt="a boat")
    graded(store, "d", 0.3, prompt="a boat")
    assert first(store) == {"ev_a", "ev_b"}
    assert first(store, prompt="a boat") == {"ev_c", "ev_d"}
    assert first(store, prompt="a house") is None


def test_the_default_user_s_clips_serve_who_has_none_left_and_nobody_else_s_do(store: Store) -> None:
    graded(store, "x", 0.9, user="somebody")
    graded(store, "y", 0.1, user="somebody")
    assert first(store, shared_by="default") is None
    graded(store, "p", 0.9, user="default")
    graded(store, "q", 0.1, user="default")
    assert first(store, shared_by="default") == {"ev_p", "ev_q"}
    graded(store, "a", 0.9)
    graded(store, "b", 0.2)
    assert first(store, shared_by="default") == {"ev_a", "ev_b"}
    chose(store, "a", "b")
    assert first(store, shared_by="default") == {"ev_p", "ev_q"}
    chose(store, "p", "q")
    again = store.asking.pairs("u", "embedded", shared_by="default")
    assert (ids(again[0]), again[0].again) == ({"ev_a", "ev_b"}, True)


def test_what_a_reset_set_aside_may_be_asked_again(store: Store) -> None:
    graded(store, "a", 0.9)
    graded(store, "b", 0.2)
    chose(store, "a", "b")
    assert store.asking.pairs("u", "embedded")[0].again
    store.tuner.step("u")
    store.tuner.reset("u")
    assert not store.asking.pairs("u", "embedded")[0].again


def test_bounded_and_what_is_known_is_not_asked(store: Store) -> None:
    for n in range(12):
        graded(store, f"n{n}", n / 12)
    assert len(store.asking.pairs("u", "embedded")) == MOST
    before = store.asking.pairs("u", "embedded")[0].gain
    choose(store, range(40))
    store.tuner.step("u")
    assert store.asking.pairs("u", "embedded", prompt="a wolf")[0].gain < before


def test_a_prediction_uses_the_taste_of_the_records_profile(store: Store) -> None:
    choose(store, range(40))
    store.tuner.step("u")
    smooth, rough = graded(store, "s", 0.9), graded(store, "r", 0.2)
    here = store.asking.predict("u", smooth, rough)
    assert here.p_a > 0.7
    assert here.version == 1
    there = [record.model_copy(update={"profile": "rtx3090"}) for record in (smooth, rough)]
    assert store.asking.predict("u", *there).version is None
    assert store.asking.predict("v", smooth, rough).version is None
    with pytest.raises(UsageError, match="never compared"):
        store.asking.predict("u", smooth, there[1])

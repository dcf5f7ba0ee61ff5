"""A log as choices: features of both clips, prequential history, the facts that came with each choice."""

from __future__ import annotations

import numpy as np
import pytest

from dqa.taste.features import INDEX, Judged, features
from dqa.taste.resolve import Meta, resolve
from dqa.taste.style import Style
from tests.counting import calls
from tests.taste.test_features import results


def clip(seed: int, model: str = "m", prompt: str = "a wolf") -> Judged:
    values = np.random.default_rng(seed).normal(size=16).tolist()
    return Judged(results(embedding={"model": model, "values": values}), prompt)


def log(n: int) -> list[tuple[Judged, Judged, Meta]]:
    clips = [clip(i) for i in range(max(2, n // 2))]
    return [(clips[i % len(clips)], clips[(i + 1) % len(clips)], Meta("ab"[i % 2], seq=i + 1)) for i in range(n)]  # type: ignore[arg-type]


SUCCESS = INDEX["history:success"]


def test_what_came_with_a_choice_stays_with_it() -> None:
    meta = Meta("tie", ("ev_1", "ev_2"), "b", ("light",), "http", 12.5, 7)
    (choice,), _ = resolve([(clip(1, prompt="p"), clip(2, prompt="q"), meta)])
    assert (choice.chosen, choice.clips, choice.left, choice.why) == ("tie", ("ev_1", "ev_2"), "b", ("light",))
    assert (choice.source, choice.received, choice.seq, choice.prompts) == ("http", 12.5, 7, ("p", "q"))


def test_features_are_those_of_each_clip_but_for_the_history() -> None:
    style = Style.of(["wolves"])
    pairs = log(12)
    choices, _ = resolve(pairs, style)
    others = [i for i in range(len(choices[0].a)) if i != SUCCESS]
    for (a, b, _meta), choice in zip(pairs, choices, strict=True):
        assert np.array_equal(choice.a[others], features(a, style)[others], equal_nan=True)
        assert np.array_equal(choice.b[others], features(b, style)[others], equal_nan=True)
    assert np.isnan(choices[0].a[SUCCESS])
    assert np.isfinite([choices[-1].a[SUCCESS], choices[-1].b[SUCCESS]]).all()


def test_the_history_goes_on_where_the_log_ends() -> None:
    pairs = log(12)
    _, history = resolve(pairs[:-1])
    (*_, last), after = resolve(pairs)
    assert features(pairs[-1][0], history=history)[SUCCESS] == pytest.approx(last.a[SUCCESS])
    assert (len(history.clips), len(after.clips), after.model) == (22, 24, "m")


def test_a_clip_without_an_embedding_is_not_remembered() -> None:
    bare = Judged(results(embedding=None), "x")
    (choice, *_), history = resolve([(clip(1), bare, Meta("a")), (clip(2), clip(3), Meta("b"))])
    assert len(history.clips) == 3
    assert np.isnan(choice.b[SUCCESS])


def test_when_the_model_changed_only_the_newest_counts() -> None:
    old, new = [clip(i, "old") for i in (1, 2)], [clip(i, "new") for i in (3, 4)]
    (first, second), history = resolve([(*old, Meta("a")), (*new, Meta("b"))])
    assert (history.model, len(history.clips)) == ("new", 2)
    assert np.isnan(first.a[INDEX["embedding:0"]])
    assert np.isfinite(second.b[INDEX["embedding:0"]])


def test_an_empty_log_resolves_to_nothing() -> None:
    assert resolve([])[0] == []
    assert resolve([])[1].clips == ()


def test_work_grows_no_faster_than_the_log() -> None:
    few, many, style = log(100), log(1000), Style.of(["wolves, warm tones"], ["neon"])
    assert calls(lambda: resolve(many, style)) < 15 * calls(lambda: resolve(few, style)), "ten times the log"

"""One damaged row: what is sound goes on, and says so; what is not serves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dqa.service.tuner_schemas import TunerStep
from dqa.store import Store
from dqa.store.engine import reading, writing
from dqa.store.selections import Selection
from dqa.store.tables import tuner_heads, tuner_steps
from tests.store.test_choices import evaluation
from tests.store.world import engine_of


@pytest.fixture
def two(store: Store) -> Store:
    """Two versions of one taste."""
    for i in range(8):
        store.save_record(evaluation(f"a{i}", 0.9), Path("a.mp4"))
        store.save_record(evaluation(f"b{i}", 0.3), Path("b.mp4"))
        store.selections.add(Selection("u", f"t{i}", f"ev_a{i}", f"ev_b{i}", "a"))
        if i in (3, 7):
            store.tuner.step("u")
    return store


def change(store: Store, column: str, version: int, **parts: Any) -> None:
    where = (tuner_steps.c.user == "u") & (tuner_steps.c.version == version)
    with reading(engine_of(store)) as connection:
        whole = json.loads(connection.scalar(sa.select(tuner_steps.c[column]).where(where)) or "")
    text = json.dumps({**whole, **parts}).replace("Infinity", "1e999")
    with writing(engine_of(store)) as connection:
        connection.execute(sa.update(tuner_steps).where(where).values({column: text}))


@pytest.mark.parametrize(
    ("part", "value", "read"),
    [
        ("held_out", "x", None), ("gate", 7, None), ("promoted", "maybe", True), ("patterns", [1], []),
        ("loss", float("inf"), None), ("unresolved_because", [], {}), ("loss_trend", ["a"], []),
        ("serving", 10**30, None),
    ],
)  # fmt: skip
def test_a_damaged_part_of_an_output_is_left_out(two: Store, part: str, value: object, read: object) -> None:
    change(two, "output", 1, **{part: value})
    told = two.tuner.history("u")[1]
    model = TunerStep.model_validate(told)
    assert getattr(model, part) == read
    assert (model.training_step, model.choices_seen) == (1, 4), "the other parts stand"
    two.selections.add(Selection("u", "more", "ev_a0", "ev_b1", "a"))
    assert TunerStep.model_validate(two.tuner.step("u")).training_step == 3


def negative(taste: dict[str, Any]) -> dict[str, Any]:
    return {"covariance": [[-5.0] * len(taste["mean"])] * len(taste["mean"])}


DAMAGE: list[Callable[[dict[str, Any]], dict[str, Any]]] = [
    negative,
    lambda taste: {"mean": [1e308] * len(taste["mean"])},
    lambda taste: {"prior_precision": [0.0] * len(taste["mean"])},
    lambda taste: {"prior_precision": [-1.0] * len(taste["mean"])},
    lambda taste: {"loss": float("inf")},
    lambda taste: {"choices": -5},
    lambda taste: {"history": {"clips": [{"embedding": [1.0], "outcome": 1.0}], "model": None}},
]


@pytest.mark.parametrize("number", range(len(DAMAGE)))
def test_a_taste_that_was_not_fitted_serves_nothing_and_the_one_before_steps_in(two: Store, number: int) -> None:
    taste = two.tuner.version("u", 2)
    assert taste is not None
    change(two, "taste", 2, **DAMAGE[number](taste.model_dump(mode="json")))
    assert two.tuner.version("u", 2) is None
    state = two.tuner.state("u")
    assert state.taste == two.tuner.current("u") == two.tuner.version("u", 1)
    assert state.serving == 1, "the one that really serves"
    assert [told["serves"] for told in two.tuner.history("u")] == [False, True]
    told = two.tuner.told("u")
    assert told is not None
    assert told["serving"] == 1
    a, b = two.get_record("ev_a0"), two.get_record("ev_b0")
    assert two.asking.predict("u", a, b).version == 1
    assert two.tuner.step("u")["training_step"] == 3, "the next step makes it anew"
    assert two.tuner.state("u").serving == 3


@pytest.mark.parametrize("excluded", ["[[0,1e999]]", "{}", "[[1]]", "null"])
def test_ranges_that_are_none_set_nothing_aside(two: Store, excluded: str) -> None:
    with writing(engine_of(two)) as connection:
        connection.execute(sa.update(tuner_heads).values(excluded=excluded))
        connection.execute(sa.update(tuner_steps).values(excluded=excluded))
    two.selections.add(Selection("u", "more", "ev_a0", "ev_b1", "a"))
    assert two.tuner.step("u")["choices_seen"] == 9


def test_after_a_reset_a_step_without_news_tells_nothing_of_the_taste_that_was_reset(store: Store) -> None:
    for i in range(12):
        store.save_record(evaluation(f"a{i}", 0.9), Path("a.mp4"))
        store.save_record(evaluation(f"b{i}", 0.3), Path("b.mp4"))
        store.selections.add(Selection("u", f"t{i}", f"ev_a{i}", f"ev_b{i}", "a"))
    assert store.tuner.step("u")["patterns"]
    store.tuner.reset("u")
    again = store.tuner.step("u")
    assert (again["patterns"], again["winning_patterns"], again["model_confidence"]) == ([], [], 0.0)
    assert (again["serving"], again["new_choices"]) == (None, 0)

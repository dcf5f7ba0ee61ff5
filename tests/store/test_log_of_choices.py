"""The log as it is learned from: in the order the choices were made, each clip by its content."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dqa.errors import Conflict, UsageError
from dqa.record import EvaluationRecord
from dqa.store import Store
from dqa.store.engine import writing
from dqa.store.selections import Selection
from dqa.store.tables import selections
from tests.store.test_choices import evaluation
from tests.store.world import engine_of

START = datetime(2026, 1, 1, tzinfo=UTC)


def clips(store: Store, n: int) -> None:
    for i in range(n):
        store.save_record(evaluation(f"a{i}", 0.9 - 0.01 * i), Path("a.mp4"))
        store.save_record(evaluation(f"b{i}", 0.2 + 0.01 * i), Path("b.mp4"))


def test_an_import_in_any_order_teaches_the_same(store: Store) -> None:
    """The newer third of the choices says the opposite: what is newest must not depend on where it stands."""
    clips(store, 30)
    told = [
        Selection(
            "",
            f"t{i}",
            f"ev_a{i}",
            f"ev_b{i}",
            "a" if i < 20 else "b",
            "file",
            (START + timedelta(hours=i)).isoformat(),
        )
        for i in range(30)
    ]
    tastes = []
    for user, order in (("first", told), ("last", told[::-1]), ("mixed", told[::2] + told[1::2])):
        for one in order:
            store.selections.add(Selection(user, one.test_id, one.a, one.b, one.chosen, one.source, one.created))
        store.tuner.step(user)
        taste = store.tuner.current(user)
        assert taste is not None
        tastes.append(taste.model_dump())
    assert tastes[0]["curve"] == tastes[1]["curve"] == tastes[2]["curve"]
    assert tastes[0]["mean"] == tastes[1]["mean"] == tastes[2]["mean"]


def again(record: EvaluationRecord, name: str) -> EvaluationRecord:
    """The same clip, evaluated once more."""
    return record.model_copy(update={"id": f"ev_{name}"})


def test_grading_two_clips_again_gives_their_choice_no_more_weight(store: Store) -> None:
    good, bad = evaluation("good", 0.9), evaluation("bad", 0.2)
    for i in range(20):
        for side, record in (("good", good), ("bad", bad)):
            store.save_record(again(record, f"{side}{i}"), Path("x.mp4"))
        store.selections.add(Selection("u", f"t{i}", f"ev_good{i}", f"ev_bad{i}", "a"))
    output = store.tuner.step("u")
    taste = store.tuner.current("u")
    assert taste is not None
    assert (taste.choices, taste.effective_choices, taste.pairs) == (20, pytest.approx(3), pytest.approx(1))
    assert output["patterns"] == []


def test_a_clip_is_not_chosen_over_itself(store: Store) -> None:
    clip = evaluation("clip", 0.9)
    for name in ("one", "two"):
        store.save_record(again(clip, name), Path("x.mp4"))
    with pytest.raises(UsageError, match="same clip, evaluated twice"):
        store.selections.add(Selection("u", "t", "ev_one", "ev_two", "a"))
    assert isinstance(store.selections.add_all([Selection("u", "t", "ev_one", "ev_two", "a")])[0], UsageError)
    assert store.selections.page("u", 10) == []


def test_one_that_was_kept_before_is_not_learned_from(store: Store) -> None:
    store.selections.add(Selection("u", "t", "ev_one", "ev_two", "a"))
    for name in ("one", "two"):
        store.save_record(again(evaluation("clip", 0.9), name), Path("x.mp4"))
    assert store.tuner.step("u")["unresolved_because"] == {"both sides are the same clip, evaluated twice": 1}


def test_the_same_choice_told_the_other_way_round_is_known(store: Store) -> None:
    clips(store, 2)
    kept, _ = store.selections.add(Selection("u", "t", "ev_a0", "ev_b0", "a"))
    assert store.selections.add(Selection("u", "t", "ev_b0", "ev_a0", "b")) == (kept, False)
    store.save_record(again(evaluation("a0", 0.9), "a0-again"), Path("x.mp4"))
    assert store.selections.add(Selection("u", "t", "ev_b0", "ev_a0-again", "b")) == (kept, False)
    for other in (("ev_b0", "ev_a0", "a"), ("ev_a0", "ev_b0", "tie"), ("ev_a0", "ev_b1", "a")):
        with pytest.raises(Conflict):
            store.selections.add(Selection("u", "t", *other))  # type: ignore[arg-type]
    tie, _ = store.selections.add(Selection("u", "tie", "ev_a0", "ev_b0", "tie"))
    assert store.selections.add(Selection("u", "tie", "ev_b0", "ev_a0", "tie")) == (tie, False)


@pytest.mark.parametrize(("column", "value"), [("why", "["), ("why", '{"a": 1}'), ("left_side", "q"), ("chosen", "c")])
def test_a_damaged_choice_does_not_stop_the_others(store: Store, column: str, value: str) -> None:
    clips(store, 4)
    for i in range(4):
        store.selections.add(Selection("u", f"t{i}", f"ev_a{i}", f"ev_b{i}", "a", why=("motion",)))
    with writing(engine_of(store)) as connection:
        connection.execute(sa.update(selections).where(selections.c.test_id == "t1").values({column: value}))
    assert store.tuner.step("u")["choices_seen"] == (3 if column == "chosen" else 4)

"""The whole loop on real clips: grade, choose, say what one likes, learn, grade again; the verdict has moved."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import cast

import pytest

from dqa.config import Settings
from dqa.evaluator import Evaluator
from dqa.record import EvaluationRecord
from dqa.store import Store
from dqa.store.selections import Selection
from dqa.taste.style import Style
from tests.conftest import RealClip

USER = "mira"


def pace(record: EvaluationRecord) -> float:
    return cast("dict[str, float]", record.channels["visionreward"].raw["look"])["pace"]


def as_of(user: str, record: EvaluationRecord) -> EvaluationRecord:
    """The record of another user's grading: where no taste is known, it is the same."""
    recipe = record.reproduce.model_copy(update={"user": user})
    return record.model_copy(update={"user": user, "reproduce": recipe})


def choose(store: Store, records: list[EvaluationRecord], n: int) -> None:
    """The slower clip is chosen, n times."""
    for i, (a, b) in enumerate(list(combinations(records, 2))[:n]):
        store.selections.add(Selection(USER, f"t{i}", a.id, b.id, "a" if pace(a) < pace(b) else "b"))


@pytest.mark.slow
def test_choices_and_words_move_the_verdict_of_the_next_grading(
    clips: list[RealClip], graded: dict[str, EvaluationRecord], tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path)
    store = Store.open(settings)
    evaluator = Evaluator(settings, taste=store.tuner.taste)
    before = [as_of(USER, graded[clip.id]) for clip in clips]
    for record, clip in zip(before, clips, strict=True):
        assert record.channels["preference"].status == "unavailable"
        store.save_record(record, clip.path)
    choose(store, before, 28)
    store.styles.put(USER, own=Style.of(["slow camera"], ["neon"]))
    step = store.tuner.step(USER)
    assert (step["choices_seen"], step["unresolved"]) == (28, [])
    taste = store.tuner.current(USER)
    assert taste is not None
    assert taste.style.likes == ("slow camera",)
    assert len(taste.history.clips) == 56
    assert taste.history.model == "efficientnet-lite0/labels16"

    slowest, fastest = (pick(range(len(clips)), key=lambda i: pace(before[i])) for pick in (min, max))
    after = {i: evaluator.evaluate(clips[i].path, clips[i].prompt, user=USER) for i in (slowest, fastest)}
    liked, loathed = (cast("float", after[i].channels["preference"].score) for i in (slowest, fastest))
    assert liked > 0.7 > 0.3 > loathed
    assert cast("float", after[slowest].final) > cast("float", before[slowest].final)
    assert cast("float", after[fastest].final) < cast("float", before[fastest].final)
    assert after[slowest].reproduce.taste_version == 1
    other = evaluator.evaluate(clips[slowest].path, clips[slowest].prompt, user="somebody else")
    assert other.channels["preference"].status == "unavailable"

    assert store.tuner.step(USER)["new_choices"] == 0
    store.styles.put(USER, own=Style.of(["fast cuts"]))
    assert store.tuner.step(USER)["training_step"] == 2, "what the user says has changed, so it is learned anew"
    anew = store.tuner.current(USER)
    assert anew is not None
    assert anew.style.likes == ("fast cut",)
    store.close()

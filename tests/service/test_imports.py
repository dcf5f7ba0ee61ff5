"""Choices from memory blocks into the store: each test once, whatever they call a clip."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dqa.agenthost.selections import Selection as Choice
from dqa.config import Settings
from dqa.service.imports import import_choices
from dqa.store import Store
from tests.test_record import record


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(Settings(home=tmp_path / "home"))
    yield opened
    opened.close()


def evaluated(store: Store, name: str, media: str) -> str:
    base = record()
    reproduce = base.reproduce.model_copy(update={"media": media})
    clip = base.media.model_copy(update={"sha256": name * 16})
    made = base.model_copy(update={"id": f"ev_{name}", "reproduce": reproduce, "media": clip})
    store.save_record(made, Path(media))
    return made.id


def test_each_test_counts_once(store: Store) -> None:
    choices = [Choice(test_id=f"t{i}", a="ev_a", b="ev_b", chosen="a") for i in range(3)]
    first = import_choices(store, "u", choices[:2])
    again = import_choices(store, "u", choices)
    assert (first.imported, first.already_known) == (2, 0)
    assert (again.imported, again.already_known, again.problems) == (1, 2, [])
    assert import_choices(store, "somebody else", choices).imported == 3
    assert {kept.source for kept in store.selections.page("u", 10)} == {"block"}


def test_a_clip_may_be_called_by_its_media(store: Store) -> None:
    ids = [evaluated(store, name, f"/clips/{name}.mp4") for name in ("one", "two")]
    names = [("/clips/one.mp4", "two"), ("one.mp4", "/clips/two.mp4"), ("one" * 16, "ev_two")]
    for number, (a, b) in enumerate(names):
        import_choices(store, "u", [Choice(test_id=f"t{number}", a=a, b=b, chosen="b")])
    assert {(kept.a, kept.b, kept.chosen) for kept in store.selections.page("u", 10)} == {(ids[0], ids[1], "b")}


def test_a_newer_evaluation_of_the_clip_changes_no_choice(store: Store) -> None:
    evaluated(store, "one", "/clips/one.mp4")
    choice = Choice(test_id="t", a="one.mp4", b="video_7", chosen="a")
    import_choices(store, "u", [choice])
    evaluated(store, "zzz", "/clips/one.mp4")
    again = import_choices(store, "u", [choice])
    assert (again.already_known, again.problems) == (1, [])
    (kept,) = store.selections.page("u", 10)
    assert (kept.a, kept.b) == ("ev_one", "video_7")


def test_the_opposite_choice_under_a_known_test_is_a_problem(store: Store) -> None:
    import_choices(store, "u", [Choice(test_id="t", a="x", b="y", chosen="a")])
    for changed in (("x", "y", "b"), ("y", "x", "a"), ("x", "y", "tie")):
        choice = Choice(test_id="t", a=changed[0], b=changed[1], chosen=changed[2])  # type: ignore[arg-type]
        (problem,) = import_choices(store, "u", [choice]).problems
        assert "test t was imported before" in problem.error
    same = Choice(test_id="t", a="y", b="x", chosen="b")
    assert import_choices(store, "u", [same]).problems == []


def test_imports_at_the_same_time_keep_each_test_once(store: Store) -> None:
    choices = [Choice(test_id=f"t{i}", a="ev_a", b="ev_b", chosen="a") for i in range(40)]
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: import_choices(store, "u", choices), range(4)))
    assert sum(each.imported for each in done) == 40
    assert all(each.imported + each.already_known == 40 for each in done)
    assert len(store.selections.page("u", 1000)) == 40


def test_a_choice_keeps_the_time_that_the_block_tells(store: Store) -> None:
    told = ("2026-01-31T12:00:00+01:00", "1769857200000", "yesterday")
    for number, when in enumerate(told):
        choice = Choice(test_id=f"t{number}", a="ev_a", b="ev_b", chosen="a", timestamp=when)
        import_choices(store, "u", [choice])
    created = [kept.created for kept in store.selections.page("u", 10)]
    assert created[:2] == ["2026-01-31T11:00:00.000Z"] * 2
    assert created[2] > "2026-02", "no time: it was made when it came"


def test_a_clip_over_itself_is_a_problem_of_that_entry(store: Store) -> None:
    evaluated(store, "one", "/clips/one.mp4")
    newer = store.get_record("ev_one").model_copy(update={"id": "ev_newer"})
    store.save_record(newer, Path("/clips/one.mp4"))
    choices = [Choice(test_id="t", a="ev_one", b="ev_newer", chosen="a"), Choice(test_id="v", a="x", b="y", chosen="a")]
    done = import_choices(store, "u", choices)
    assert (done.imported, len(done.problems)) == (1, 1)
    assert "test t: both sides are the same clip" in done.problems[0].error

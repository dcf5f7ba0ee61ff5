"""Every format says the same choices; what it can't say is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.config import Settings
from dqa.errors import Conflict, InputError
from dqa.exchange.exporting import Export, Format
from dqa.exchange.importing import Kept, Refused, import_choices
from dqa.exchange.reading import choices_of
from dqa.store import Store
from dqa.store.selections import Selection
from dqa.taste.style import Style
from tests.store.test_choices import evaluation

WHEN = "2026-01-31T12:00:00Z"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(Settings(home=tmp_path / "home"))
    yield opened
    opened.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(Settings(home=tmp_path / "fresh"))
    yield opened
    opened.close()


def fill(store: Store, n: int = 6) -> None:
    for i in range(n):
        store.save_record(evaluation(f"a{i}", 0.9 - i / 50), Path(f"a{i}.mp4"))
        store.save_record(evaluation(f"b{i}", 0.2 + i / 50), Path(f"b{i}.mp4"))


def choose(store: Store, n: int = 6, user: str = "mira") -> None:
    for i in range(n):
        chosen = "tie" if i % 5 == 4 else "ab"[i % 3 == 2]
        left = (None, "a", "b")[i % 3]
        why = ("smoother", "<b>colours</b>") if i % 2 else ()
        made = Selection(user, f"t{i}", f"ev_a{i}", f"ev_b{i}", chosen, created=WHEN, left=left, why=why)  # type: ignore[arg-type]
        store.selections.add(made)


def written(store: Store, path: Path, kind: Format, user: str = "mira", **how: Any) -> tuple[str, dict[str, int]]:
    export = Export(store, user)
    text = "".join(export.pieces(kind, **how))
    path.write_text(text, encoding="utf-8")
    return text, dict(export.left_out)


def taken(store: Store, path: Path, user: str = "nobody") -> tuple[list[Kept], list[Refused]]:
    done = list(import_choices(store, path, user))
    return [d for d in done if isinstance(d, Kept)], [d for d in done if isinstance(d, Refused)]


def said(store: Store, user: str) -> list[dict[str, Any]]:
    names = ("test_id", "user", "a", "b", "chosen", "created", "left", "why")
    return [{name: getattr(choice, name) for name in names} for choice in store.selections.page(user, 1000)]


def test_what_is_exported_with_records_is_the_same_in_another_store(store: Store, fresh: Store, tmp_path: Path) -> None:
    fill(store, 30)
    choose(store, 30)
    written(store, tmp_path / "all.jsonl", "jsonl", records=True)
    kept, refused = taken(fresh, tmp_path / "all.jsonl")
    assert refused == []
    assert [done.new for done in kept] == [True] * 30
    assert said(fresh, "mira") == said(store, "mira")
    theirs, ours = (each.get_record("ev_a3").model_dump(mode="json") for each in (store, fresh))
    theirs["user"] = theirs["reproduce"]["user"] = "mira"  # whose choice it is
    assert ours == theirs
    store.tuner.step("mira")
    fresh.tuner.step("mira")
    assert fresh.tuner.current("mira") == store.tuner.current("mira")
    assert fresh.tuner.current("mira") is not None
    again, _ = taken(fresh, tmp_path / "all.jsonl")
    assert [done.new for done in again] == [False] * 30
    assert fresh.find_media("0" * 64) is None, "where media lay elsewhere is not believed"


def test_without_records_ids_must_be_known(store: Store, fresh: Store, tmp_path: Path) -> None:
    fill(store)
    choose(store)
    written(store, tmp_path / "ids.jsonl", "jsonl")
    kept, refused = taken(fresh, tmp_path / "ids.jsonl")
    assert kept == []
    assert [done.place for done in refused] == [f"line {n}" for n in range(1, 7)]
    assert "no evaluation" in refused[0].error.sentence()


def test_label_studio_there_and_back(store: Store, fresh: Store, tmp_path: Path) -> None:
    fill(store)
    fill(fresh)
    choose(store)
    text, left_out = written(store, tmp_path / "tasks.json", "label-studio")
    assert left_out == {"ties": 1}
    tasks = json.loads(text)
    assert [task["data"]["left"] for task in tasks] == ["a", "a", "b", "a", "b"]
    assert tasks[2]["data"]["prompt"] == "a wolf"
    assert "score" not in text
    assert "grade" not in text
    kept, refused = taken(fresh, tmp_path / "tasks.json")
    assert refused == []
    sides = [(done.selection.test_id, done.selection.a, done.selection.chosen) for done in kept]
    assert sides == [(c.test_id, c.a, c.chosen) for c in store.selections.page("mira", 100) if c.chosen != "tie"]


def test_label_studio_as_people_leave_it(store: Store, tmp_path: Path) -> None:
    fill(store)

    def annotation(number: int, selected: str | None, **more: object) -> dict[str, object]:
        value = {} if selected is None else {"selected": selected}
        result = {"from_name": "pw", "to_name": "left", "type": "pairwise", "value": value, "id": "x"}
        others = {"from_name": "why", "to_name": "left", "type": "choices", "value": {"choices": ["x"]}}
        return {"id": number, "completed_by": 7, "created_at": WHEN, "result": [others, result], **more}

    tasks = [
        {"id": 11, "data": {"a": "ev_a0", "b": "ev_b0"}, "annotations": [annotation(1, "right")]},
        {"id": 12, "data": {"a": "ev_a1", "b": "ev_b1", "left": "b"}, "annotations": [annotation(2, "right")]},
        {"id": 13, "data": {"a": "ev_a2", "b": "ev_b2"}, "annotations": [annotation(3, "left", was_cancelled=True)]},
        {"id": 14, "data": {"a": "ev_a3", "b": "ev_b3", "user": "ole", "test_id": "mine"},
         "annotations": [annotation(4, "left"), annotation(5, None), annotation(6, "right")]},
        {"id": 15, "data": {"a": "ev_a4", "b": "ev_b4"}, "annotations": []},
        {"id": 16, "data": {"text1": "x"}, "annotations": [annotation(7, "left")]},
        {"id": 17, "data": "nothing", "annotations": [annotation(8, "left")]},
        {"id": 18, "data": {"a": "ev_a4", "b": "ev_b4"}, "annotations": "none", "predictions": 3},
        {"id": 19, "data": {"a": "ev_a4", "b": "ev_b4", "left": "c"}, "annotations": [annotation(9, "left")]},
    ]  # fmt: skip
    (tmp_path / "export.json").write_text(json.dumps(tasks, indent=2))
    kept, refused = taken(store, tmp_path / "export.json")
    assert [(k.selection.user, k.selection.test_id, k.selection.chosen, k.selection.left) for k in kept] == [
        ("nobody", "label-studio-11", "b", "a"),
        ("nobody", "label-studio-12", "a", "b"),
        ("ole", "mine", "a", "a"),
        ("ole", "mine-6", "b", "a"),
    ]
    assert kept[0].selection.created == WHEN.replace("Z", ".000Z")
    assert [done.place for done in refused] == [f"entry {n}" for n in (3, 5, 6, 7, 8, 9)]


def test_trl_is_written_as_the_trainer_reads_it(store: Store, tmp_path: Path) -> None:
    from dqa.taste.features import Judged
    from dqa.taste.heavy.rendering import render_clip, render_prompt

    fill(store)
    choose(store)
    store.save_record(evaluation("other", 0.5).model_copy(update={"prompt": "a boat"}), Path("c.mp4"))
    store.selections.add(Selection("mira", "across", "ev_a0", "ev_other", "a"))
    store.selections.add(Selection("mira", "gone", "ev_a0", "ev_gone", "a"))
    style = Style(likes=("fog",))
    export = Export(store, "mira", style)
    rows = [json.loads(line) for line in "".join(export.pieces("trl")).splitlines()]
    assert export.left_out == {
        "ties": 1, "between clips of different prompts": 1, "with a clip that has no evaluation here": 1,
    }  # fmt: skip
    assert len(rows) == 5
    assert all(set(row) == {"prompt", "chosen", "rejected"} for row in rows)
    texts = {i: render_clip(Judged.of(store.get_record(i))) for i in ("ev_a0", "ev_b0", "ev_a2", "ev_b2")}
    assert rows[0] == {
        "prompt": render_prompt("a wolf", style),
        "chosen": texts["ev_a0"],
        "rejected": texts["ev_b0"],
    }
    assert (rows[2]["chosen"], rows[2]["rejected"]) == (texts["ev_b2"], texts["ev_a2"])
    (tmp_path / "trl.jsonl").write_text("\n".join(map(json.dumps, rows)))
    kept, refused = taken(store, tmp_path / "trl.jsonl")
    assert (kept, len(refused)) == ([], 5), "evidence as text names no clip"


def test_trl_is_read_with_ids_and_records(store: Store, tmp_path: Path) -> None:
    fill(store, 2)
    new = json.loads(evaluation("new", 0.6).to_json())
    rows: list[Any] = [
        {"prompt": "a wolf", "chosen": "ev_a0", "rejected": "ev_b0"},
        {"prompt": "a wolf", "chosen": "ev_a0", "rejected": "ev_b0"},
        {"prompt": "a wolf", "chosen": new, "rejected": "ev_b1"},
        {"prompt": "a wolf", "chosen": [{"role": "user", "content": "x"}], "rejected": [{"role": "user"}]},
        {"prompt": "a wolf", "chosen": "a wolf walks", "rejected": "a wolf runs"},
        {"prompt": "a wolf", "chosen": "ev_b0", "rejected": "ev_a0"},
    ]
    (tmp_path / "trl.jsonl").write_text("\n".join(map(json.dumps, rows)))
    kept, refused = taken(store, tmp_path / "trl.jsonl", "mira")
    assert [(k.selection.a, k.selection.b, k.new) for k in kept] == [
        ("ev_a0", "ev_b0", True), ("ev_a0", "ev_b0", False), ("ev_new", "ev_b1", True), ("ev_b0", "ev_a0", True),
    ]  # fmt: skip
    assert [r.place for r in refused] == ["line 4", "line 5"]
    assert "conversation" in refused[0].error.sentence()
    assert store.get_record("ev_new").channels == evaluation("new", 0.6).channels
    assert store.get_record("ev_new").user == "mira"


def test_both_block_shapes_and_names_of_clips(store: Store, tmp_path: Path) -> None:
    for i, name in enumerate(("wolf.mp4", "fox.mp4", "owl.mp4")):
        record = evaluation(f"c{i}", 0.3 * i)
        media = record.media.model_copy(update={"sha256": str(i) * 64})
        told = record.reproduce.model_copy(update={"media": f"/clips/{name}", "sha256": str(i) * 64})
        store.save_record(record.model_copy(update={"media": media, "reproduce": told}), Path(name))
    rows = [
        {"test_id": "t1", "chosen": "wolf.mp4", "rejected": "fox", "timestamp": WHEN},
        {"test_id": "t2", "variation_a": "/clips/owl.mp4", "variation_b": "0" * 64, "chosen": "variation_b"},
        {"test_id": "t3", "variation_a": "owl", "variation_b": "fox", "chosen": "fox", "timestamp": 1767225600},
        {"test_id": 4, "variation_a": "owl", "variation_b": "fox", "chosen": "VARIATION_A"},
        {"test_id": "t5", "variation_a": "owl", "variation_b": "fox", "chosen": "neither"},
        {"test_id": "t6", "chosen": "wolf", "rejected": "wolf.mp4"},
        {"test_id": "t7", "chosen": "wolf", "rejected": "badger"},
    ]
    (tmp_path / "block.json").write_text(json.dumps(rows))
    kept, refused = taken(store, tmp_path / "block.json", "mira")
    assert [(k.selection.test_id, k.selection.a, k.selection.b, k.selection.chosen) for k in kept] == [
        ("t1", "ev_c0", "ev_c1", "a"),
        ("t2", "ev_c2", "ev_c0", "b"),
        ("t3", "ev_c2", "ev_c1", "b"),
        ("4", "ev_c2", "ev_c1", "a"),
    ]
    assert kept[2].selection.created == "2026-01-01T00:00:00.000Z"
    assert [r.place for r in refused] == ["entry 5", "entry 6", "entry 7"]
    assert "same clip" in refused[1].error.sentence()


def test_a_name_means_ones_own_newest_clip(store: Store, tmp_path: Path) -> None:
    for number, user in enumerate(("mira", "mira", "ole")):
        store.save_record(evaluation(f"{number}", 0.5).model_copy(update={"user": user}), Path("clip.mp4"))
    store.save_record(evaluation("other", 0.5), Path("x.mp4"))
    row = {"test_id": "t", "a": "clip.mp4", "b": "ev_other", "chosen": "a"}
    (tmp_path / "f").write_text(json.dumps(row))
    for user, meant in (("mira", "ev_1"), ("ole", "ev_2")):
        kept, _ = taken(store, tmp_path / "f", user)
        assert kept[0].selection.a == meant


def _record(**changes: Any) -> dict[str, Any]:
    return {**json.loads(evaluation("new", 0.6).to_json()), **changes}


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (_record(schema="dqa.evaluation/2"), "schema"),
        (_record(id="x" * 41), "id"),
        (_record(id="a b"), "id"),
        (_record(user=""), "user"),
        (_record(user="a\nb"), "user"),
        (_record(final=1.5), "final"),
        (_record(extra=1), "extra"),
        (_record(media={**_record()["media"], "sha256": "../../etc"}), "sha256"),
        (_record(media={**_record()["media"], "frames": -1}), "media"),
        (_record(media={**_record()["media"], "frames": 2**40}), "media"),
        (_record(prompt="a\0b"), "prompt"),
        (_record(created="2" * 50), "created"),
        ({"id": "ev_1"}, "schema"),
        ({}, "not a record"),
    ],
)
def test_a_record_that_is_none_is_refused(store: Store, tmp_path: Path, broken: dict[str, Any], says: str) -> None:
    fill(store, 1)
    (tmp_path / "f").write_text(json.dumps({"test_id": "t", "a": broken, "b": "ev_b0", "chosen": "a"}))
    kept, refused = taken(store, tmp_path / "f")
    assert kept == []
    assert says in refused[0].error.sentence() or says == "schema"
    assert len(store.list_records(100)) == 2


def test_a_record_never_replaces_another(store: Store, tmp_path: Path) -> None:
    fill(store, 1)
    forged = {**json.loads(store.get_record_json("ev_a0")), "final": 0.99}
    (tmp_path / "f").write_text(json.dumps({"test_id": "t", "a": forged, "b": "ev_b0", "chosen": "a"}))
    kept, refused = taken(store, tmp_path / "f")
    assert kept == []
    assert isinstance(refused[0].error, Conflict)
    assert store.get_record("ev_a0").final != 0.99


def test_nothing_of_a_refused_line_is_kept(store: Store, tmp_path: Path) -> None:
    row = {"test_id": "t", "a": _record(), "b": "ev_unknown", "chosen": "a"}
    (tmp_path / "f").write_text(json.dumps(row))
    assert taken(store, tmp_path / "f")[0] == []
    assert store.list_records(10) == []


@pytest.mark.parametrize(
    "change",
    [
        {"chosen": "left"}, {"chosen": None}, {"chosen": ["a"]}, {"test_id": ""}, {"test_id": "x" * 201},
        {"test_id": True}, {"test_id": "a\x07"}, {"a": 1.5}, {"a": ["ev_a0"]}, {"a": None}, {"b": "ev_a0"},
        {"user": 7.5}, {"user": "x" * 300}, {"timestamp": "yesterday"}, {"timestamp": -1}, {"timestamp": 1e300},
        {"timestamp": True}, {"timestamp": {}}, {"left": "c"}, {"left": 1}, {"why": "smooth"}, {"why": ["x" * 61]},
        {"why": ["x"] * 11}, {"why": [1]}, {"why": [""]},
    ],
    ids=str,
)  # fmt: skip
def test_a_line_that_is_not_right_is_refused(store: Store, tmp_path: Path, change: dict[str, Any]) -> None:
    fill(store, 1)
    row = {"test_id": "t", "a": "ev_a0", "b": "ev_b0", "chosen": "a", **change}
    (tmp_path / "f").write_text(json.dumps(row))
    kept, refused = taken(store, tmp_path / "f")
    assert (len(kept), len(refused)) == (0, 1)
    assert store.selections.page(None, 10) == []


KEYS = st.sampled_from(
    [
        *("test_id", "a", "b", "chosen", "rejected", "variation_a", "variation_b", "user", "timestamp", "left", "why"),
        *("data", "annotations", "result", "type", "value", "selected", "id", "was_cancelled", "created_at", "x"),
    ]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=5) | st.just("ev_a0"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=15,
)


@given(value=st.dictionaries(KEYS, json_values, max_size=8))
def test_whatever_an_entry_says_it_is_choices_or_one_sentence(value: Any) -> None:
    try:
        told = choices_of(value)
    except InputError as error:
        told, sentence = [], error.sentence()
        assert "\n" not in sentence
    assert all(choice.chosen in ("a", "b", "tie") and 0 < len(choice.test_id) <= 400 for choice in told)


def test_our_own_export_for_trl_can_t_be_read_back_and_says_why(store: Store, tmp_path: Path) -> None:
    fill(store)
    choose(store)
    written(store, tmp_path / "pairs.jsonl", "trl")
    kept, refused = taken(store, tmp_path / "pairs.jsonl")
    assert kept == []
    assert refused
    assert all("texts can't be matched to clips" in each.error.sentence() for each in refused)


def test_a_record_of_somebody_else_is_kept_as_the_importer_s(store: Store, fresh: Store, tmp_path: Path) -> None:
    fill(store)
    choose(store)
    owner = store.get_record("ev_a0").user
    written(store, tmp_path / "all.jsonl", "jsonl", records=True)
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    text = "\n".join(json.dumps({**line, "user": None}) for line in lines)
    (tmp_path / "bob.jsonl").write_text(text)
    for _ in range(2):
        done = list(import_choices(fresh, tmp_path / "bob.jsonl", "bob"))
        assert all(isinstance(one, Kept) for one in done)
    assert fresh.list_records(user=owner) == []
    mine = fresh.get_record("ev_a0")
    assert (mine.user, mine.reproduce.user) == ("bob", "bob")
    list(import_choices(store, tmp_path / "bob.jsonl", "bob"))
    assert store.get_record("ev_a0").user == owner, "one that is here stays whose it is"

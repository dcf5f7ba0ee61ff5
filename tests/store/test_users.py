"""One user's data given out whole and deleted whole, to the last byte, and nobody else's touched."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import random
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dqa.config import Settings
from dqa.errors import Conflict, UnavailableError
from dqa.ids import user_key
from dqa.store import NewJob, Store, erase
from dqa.store import tables as t
from dqa.store.engine import reading, writing
from tests.store.world import (
    USER_TABLES,
    canary,
    engine_of,
    evaluate,
    files_with,
    furnish,
    judged,
    rows_of,
    upload,
)


@pytest.fixture
def users(store: Store, settings: Settings) -> list[str]:
    shared = upload(store, b"a clip that everybody judged", "shared.mp4")
    names = ["mira", "noor", "ole"]
    for n, name in enumerate(names):
        furnish(store, settings.home, name, shared, random.Random(n))
    return names


def test_every_table_that_names_a_user_is_furnished_here(store: Store, users: list[str]) -> None:
    # A table added later must be filled in tests/store/world.py, so that the tests below speak of it.
    for user in users:
        assert all(rows_of(store, user).values()), {k: len(v) for k, v in rows_of(store, user).items()}


def test_a_deletion_takes_all_of_one_user_and_nothing_of_the_others(
    store: Store, settings: Settings, users: list[str]
) -> None:
    before = {user: rows_of(store, user) for user in users}
    removed = store.users.delete("noor")
    after = {user: rows_of(store, user) for user in users}
    assert after == {**before, "noor": {table.name: [] for table in USER_TABLES}}
    assert {name: removed.counts[name] for name in before["noor"]} == {k: len(v) for k, v in before["noor"].items()}
    assert removed.counts["media"] == 1, "the shared upload stays"
    assert removed.counts["idempotency"] == len(before["noor"]["jobs"])
    assert removed.counts["job_events"] == 4 * len(before["noor"]["jobs"])
    assert removed.scrubbed
    assert f"adapters/{user_key('noor')}/v1/adapter.safetensors" in removed.files
    assert len(removed.files) == 2
    assert not [file for file in removed.files if (settings.home / file).exists()]
    for other in ("mira", "ole"):
        assert len([p for p in (settings.home / "adapters" / user_key(other)).rglob("*") if p.is_file()]) == 1
    with reading(engine_of(store)) as connection:
        kept = set(connection.scalars(sa.select(t.media.c.file)))
    assert {p.name for p in store.media.folder.iterdir()} == kept
    assert len(kept) == 3, "two own and the shared one"


def test_nothing_on_the_disk_tells_of_a_deleted_user(store: Store, settings: Settings, users: list[str]) -> None:
    assert "dqa.sqlite3" in "".join(files_with(settings.home, canary("noor"))) or settings.database_url
    store.users.delete("noor")
    assert files_with(settings.home, canary("noor")) == []
    assert files_with(settings.home, "noor") == []
    assert files_with(settings.home, canary("mira")) != [] or settings.database_url


def test_deleted_text_is_gone_from_much_used_pages_too(store: Store, settings: Settings) -> None:
    shared = upload(store, b"shared", "shared.mp4")
    rng = random.Random(7)
    for n in range(150):  # rows of all sizes, in turns, so that pages split and are filled again
        evaluate(store, rng.choice(["mira", "noor", "ole"]), *shared, n)
    for record in [r for r in store.list_records(200, user="noor")][::3]:
        store.delete(record.id)
    for n in range(50):
        evaluate(store, "ole", *shared, n)
    store.users.delete("noor")
    assert files_with(settings.home, canary("noor")) == []
    assert len(store.list_records(500)) > 100


def test_a_second_deletion_finds_nothing(store: Store, users: list[str]) -> None:
    store.users.delete("mira")
    again = store.users.delete("mira")
    assert set(again.counts.values()) == {0}
    assert again.files == ()
    nobody = store.users.delete("nobody at all")
    assert set(nobody.counts) == set(again.counts)
    assert set(nobody.counts.values()) == {0}


@pytest.mark.parametrize("seed", range(12))
def test_in_whatever_order_users_go_the_others_lose_nothing(store: Store, settings: Settings, seed: int) -> None:
    rng = random.Random(seed)
    names = [f"user {n}é/{seed}" for n in range(4)]
    pool = [upload(store, f"clip {n}".encode(), f"{n}.mp4") for n in range(3)]
    for name in names:
        for n in range(rng.randint(0, 6)):
            evaluate(store, name, *rng.choice(pool), n)
    rng.shuffle(names)
    while names:
        gone = names.pop()
        before = {name: rows_of(store, name) for name in names}
        store.users.delete(gone)
        assert {name: rows_of(store, name) for name in names} == before
        for name in names:
            for record in store.list_records(100, user=name):
                assert store.find_media(record.media.sha256) is not None, "an upload that is still needed"
    used = [p.name for p in store.media.folder.iterdir()]
    with reading(engine_of(store)) as connection:
        assert sorted(used) == sorted(connection.scalars(sa.select(t.media.c.file)))
        assert connection.scalar(sa.select(sa.func.count()).select_from(t.media_locations)) == 0


def test_work_under_way_keeps_a_user_from_being_deleted(store: Store, users: list[str]) -> None:
    before = rows_of(store, "mira")
    store.jobs.add(NewJob("ev_running", "mira", "embedded", {"prompt": "p"}), 10)
    store.jobs.lease("worker", 60)
    with pytest.raises(Conflict, match="cancel it first"):
        store.users.delete("mira")
    assert {k: v for k, v in rows_of(store, "mira").items() if k != "jobs"} == {
        k: v for k, v in before.items() if k != "jobs"
    }
    store.users.delete("ole")  # somebody else's is nobody's hindrance
    assert store.users.delete("mira", is_gone=lambda owner: owner == "worker").counts["jobs"] > 0
    record = judged("mira", "0" * 64).model_copy(update={"id": "ev_running"})
    assert not store.jobs.complete("ev_running", "worker", record, "x.mp4"), "a runner that was thought dead"
    assert store.list_records(user="mira") == []


def test_a_lease_that_ran_out_does_not_count(store: Store) -> None:
    store.jobs.add(NewJob("ev_lost", "mira", "embedded", {"prompt": "p"}), 10)
    store.jobs.lease("worker", -1)
    assert store.users.delete("mira").counts["jobs"] == 1


def test_a_training_under_way_keeps_a_user_too(store: Store, users: list[str]) -> None:
    with writing(engine_of(store)) as connection:
        change = t.trainings.update().where(t.trainings.c.user == "mira")
        connection.execute(change.values(status="running", owner="trainer"))
    with pytest.raises(Conflict, match="training"):
        store.users.delete("mira")
    assert store.users.delete("mira", is_gone=lambda owner: owner == "trainer").counts["trainings"] == 1


def _delete_and_hang(settings: Settings, where: str) -> None:
    def hang(*_: object) -> Any:
        (settings.home.parent / "hanging").touch()
        time.sleep(60)

    store = Store.open(settings)
    if where == "before the transaction ends":
        erase.Notes.write = _then(erase.Notes.write, hang)  # type: ignore[method-assign]
    elif where == "before the files":
        store.users._remove_files = hang  # type: ignore[method-assign]
    else:
        erase.scrub = hang  # type: ignore[assignment]
    store.users.delete("noor")


def _then(first: Any, second: Any) -> Any:
    def both(*arguments: Any) -> Any:
        first(*arguments)
        return second()

    return both


@pytest.mark.parametrize("where", ["before the transaction ends", "before the files", "before the scrubbing"])
@pytest.mark.parametrize("finisher", ["delete", "sweep"])
def test_a_deletion_that_is_killed_is_finished_later(
    store: Store, settings: Settings, users: list[str], where: str, finisher: str
) -> None:
    if where == "before the scrubbing" and settings.database_url:
        pytest.skip("PostgreSQL's files are not ours to read")
    before = rows_of(store, "noor")
    child = multiprocessing.get_context("fork").Process(target=_delete_and_hang, args=(settings, where))
    child.start()
    while not (settings.home.parent / "hanging").exists():
        time.sleep(0.02)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    store = Store.open(settings)
    if where == "before the transaction ends":
        assert store.users.sweep() == 1
        assert rows_of(store, "noor") == before, "all or nothing"
        assert files_with(settings.home, canary("noor")) != []
        assert (settings.home / "adapters" / user_key("noor")).is_dir()
        for record in store.list_records(user="noor"):
            assert store.find_media(record.media.sha256) is not None
        store.close()
        return
    assert files_with(settings.home, canary("noor")) != [], "killed too late to say anything"
    if finisher == "delete":
        assert set(store.users.delete("noor").counts.values()) == {0}
    else:
        assert store.users.sweep() == 1
    assert files_with(settings.home, canary("noor")) == []
    assert store.users.sweep() == 0
    store.close()


def test_a_full_disk_keeps_a_user_whole_and_says_so(
    store: Store, settings: Settings, users: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows_of(store, "mira")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("dqa.store.erase.os.fsync", full)
        with pytest.raises(UnavailableError, match="the disk is full"):
            store.users.delete("mira")
    assert rows_of(store, "mira") == before
    assert list((settings.home / "removals").iterdir()) == []
    assert sum(store.users.delete("mira").counts.values()) > 0


def test_a_disk_too_full_to_rewrite_the_database_delays_the_scrubbing_only(
    store: Store, users: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine_of(store).dialect.name != "sqlite":
        pytest.skip("PostgreSQL's disk is its own")
    with monkeypatch.context() as patched:
        patched.setattr(erase, "closing", _without_room)
        assert not store.users.delete("mira").scrubbed
    assert store.users.sweep() == 1, "the note is there"


def _without_room(_connection: object) -> object:
    raise sqlite3.OperationalError("database or disk is full")


def test_a_note_that_was_tampered_with_reaches_nothing_else(store: Store, settings: Settings) -> None:
    outside = settings.home / "config.toml"
    outside.write_text("")
    folder = settings.home / "removals"
    folder.mkdir()
    (folder / "rm_1.json").write_text(json.dumps({"media": ["../config.toml", "..", ""], "keys": ["..", "/"]}))
    (folder / "rm_2.json").write_text("not json")
    assert store.users.sweep() == 2
    assert outside.exists()
    assert list(folder.iterdir()) == []


def test_a_reader_who_does_not_let_go_delays_the_scrubbing_only(
    store: Store, settings: Settings, users: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if settings.database_url:
        pytest.skip("readers of PostgreSQL hold nothing up")
    monkeypatch.setattr(erase, "_PATIENCE_S", 0.1)
    other = sa.create_engine(settings.database, connect_args={"timeout": 0.1})
    with other.connect() as reader:
        reader.exec_driver_sql("BEGIN")
        reader.exec_driver_sql("SELECT count(*) FROM evaluations")
        removed = store.users.delete("noor")
        assert not removed.scrubbed
        assert set(store.users.delete("noor").counts.values()) == {0}
    other.dispose()
    assert store.users.sweep() == 1
    assert files_with(settings.home, canary("noor")) == []


def test_an_export_holds_everything_and_nothing_of_the_others(store: Store, users: list[str]) -> None:
    document: Any = store.users.export("mira")
    rows = rows_of(store, "mira")
    held = {
        "evaluations": "evaluations", "jobs": "jobs", "choices": "selections", "steps": "tuner_steps",
        "serving": "tuner_heads", "trainings": "trainings", "rewards": "adapter_rewards",
        "refinements": "refinements", "generations": "generations",
    }  # fmt: skip
    assert {name: len(document[name]) for name in held} == {name: len(rows[table]) for name, table in held.items()}
    told = {*held.values(), "user_styles", "summaries"}
    assert told == set(rows), "a table that an export does not speak of"
    assert document["style"] == {"likes": [canary("mira")], "dislikes": []}
    assert document["evaluations"][0] == json.loads(store.get_record_json(document["evaluations"][0]["id"]))
    assert document["choices"][0]["why"] == [canary("mira")]
    assert document["steps"][0]["taste"]["version"] == 1
    assert [file["file"] for file in document["adapters"]] == ["v1/adapter.safetensors"]
    assert len(document["adapters"][0]["sha256"]) == 64
    assert {clip["name"] for clip in document["media"]} == {f"{canary('mira')}.mp4", "shared.mp4"}
    assert "noor" not in json.dumps(document)
    assert "x.mp4" not in json.dumps(document), "places on the service's disk"


def test_an_export_of_nobody_is_empty(store: Store) -> None:
    document = store.users.export("nobody")
    assert document["user"] == "nobody"
    assert [value for name, value in document.items() if name not in ("schema", "user", "created") and value] == []


def test_a_large_export_is_read_piece_by_piece(store: Store) -> None:
    for n in range(250):
        store.save_record(judged("mira", "0" * 64, n), Path("a.mp4"))
    pieces = store.users.export_json("mira")
    first = [next(pieces) for _ in range(5)]
    store.users.delete("mira")  # nobody holds a transaction open meanwhile
    assert len("".join(first)) < 20_000
    assert len(json.loads("".join([*first, *pieces]))["evaluations"]) <= 100

"""Records, media and their deletion."""

from __future__ import annotations

from pathlib import Path

import pytest

from dqa.errors import Conflict, MediaNotFound, RecordNotFound
from dqa.ids import new_id
from dqa.store import NewJob, Store, StoredMedia
from dqa.store.keys import IdempotencyKey
from dqa.testing import scripted_record

SHA = "a" * 64


def keep(store: Store, content: bytes = b"GIF89a", sha256: str = SHA, key: IdempotencyKey | None = None) -> StoredMedia:
    part = store.media.temporary()
    part.write_bytes(content)
    return store.media.add(part, sha256, ".gif", "wolf.gif", key)[0]


def test_a_record_comes_back_to_the_last_digit(store: Store, tmp_path: Path) -> None:
    record = scripted_record(new_id("ev"), "a wolf \u202e 狼 'quoted' %s")
    store.save_record(record, tmp_path / "clip.mp4")
    assert store.get_record(record.id) == record
    assert store.get_record_json(record.id) == record.to_json()


def test_the_same_id_twice_is_a_conflict(store: Store, tmp_path: Path) -> None:
    record = scripted_record(new_id("ev"))
    store.save_record(record, tmp_path)
    with pytest.raises(Conflict):
        store.save_record(record, tmp_path)


def test_pages_go_back_in_time_and_end(store: Store, tmp_path: Path) -> None:
    ids = [f"ev_{n:026d}" for n in range(7)]
    for number, name in enumerate(ids):
        store.save_record(scripted_record(name, user="ann" if number % 2 else "bob"), tmp_path)
    first = store.list_records(3)
    second = store.list_records(3, before=first[-1].id)
    assert [r.id for r in first + second] == ids[:0:-1]
    assert [r.id for r in store.list_records(9, user="ann")] == [ids[5], ids[3], ids[1]]
    assert store.list_records(9, profile="other") == []


def test_unknown_ids_are_not_found(store: Store) -> None:
    for name in ("ev_1", "", "' OR 1=1 --"):
        with pytest.raises(RecordNotFound):
            store.get_record(name)
        with pytest.raises(RecordNotFound):
            store.delete(name)
        with pytest.raises(MediaNotFound):
            store.media.get(name)


def test_media_is_found_by_content_where_it_was_last_seen(store: Store, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"x")
    assert store.find_media(SHA) is None
    store.save_record(scripted_record(new_id("ev"), sha256=SHA), tmp_path / "moved.mp4")
    assert store.find_media(SHA) is None, "the file is not there"
    store.save_record(scripted_record(new_id("ev"), sha256=SHA), clip)
    assert store.find_media(SHA) == clip
    upload = keep(store)
    assert store.find_media(SHA) == upload.path, "an upload is surer than a path"


def test_the_same_content_is_kept_once_under_a_generated_name(store: Store) -> None:
    first = keep(store)
    again = keep(store)
    assert again == first
    assert first.path.parent == store.media.folder
    assert "wolf" not in first.path.name
    assert [p.name for p in store.media.folder.iterdir()] == [first.path.name]


def test_an_upload_heals_a_lost_file(store: Store) -> None:
    first = keep(store)
    first.path.unlink()
    assert keep(store).path.read_bytes() == b"GIF89a"


def test_a_key_gives_the_same_media_and_refuses_another(store: Store) -> None:
    key = IdempotencyKey("k", "media", SHA)
    first = keep(store, key=key)
    assert keep(store, key=key).id == first.id
    other = IdempotencyKey("k", "media", "b" * 64)
    with pytest.raises(Conflict):
        keep(store, b"GIF87a", "b" * 64, other)


def test_deleting_the_last_evaluation_deletes_its_upload(store: Store, tmp_path: Path) -> None:
    upload = keep(store)
    ids = [new_id("ev"), new_id("ev")]
    for name in ids:
        store.save_record(scripted_record(name, sha256=SHA), upload.path)
    store.delete(ids[0])
    assert store.media.get(upload.id).path.is_file(), "another evaluation needs it"
    store.delete(ids[1])
    assert not upload.path.exists()
    with pytest.raises(MediaNotFound):
        store.media.get(upload.id)


def test_an_upload_a_job_waits_for_is_not_deleted(store: Store) -> None:
    upload = keep(store)
    name = new_id("ev")
    store.save_record(scripted_record(name, sha256=SHA), upload.path)
    store.jobs.add(NewJob(new_id("ev"), "u", "embedded", {}, upload.id), 5)
    store.delete(name)
    assert upload.path.is_file()


def test_a_users_own_file_is_never_deleted(store: Store, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"x")
    name = new_id("ev")
    store.save_record(scripted_record(name, sha256=SHA), clip)
    store.delete(name)
    assert clip.is_file()


def test_what_a_crash_left_is_swept_and_an_upload_under_way_is_not(store: Store) -> None:
    import os

    kept = keep(store)
    old, new = store.media.temporary(), store.media.temporary()
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (0, 0))
    os.utime(kept.path, (0, 0))
    assert store.media.sweep() == 1
    assert (kept.path.exists(), old.exists(), new.exists()) == (True, False, True)

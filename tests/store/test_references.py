"""The picture that a comparison compares with: it is kept, given out and deleted with whom it belongs to."""

from __future__ import annotations

from typing import Any

import pytest

from dqa.config import Settings
from dqa.ids import new_id
from dqa.store import NewJob, Store
from tests.store.world import upload


def compare(store: Store, user: str, generated: str, reference: str | None, **more: Any) -> str:
    """A comparison as the service makes it, ended."""
    place = None if reference is None else {"media": reference, "path": "/x.png", "roots": []}
    request = {"calibration": "compare", "media": generated, "reference": place, **more}
    job_id = store.jobs.add(NewJob(new_id("cal"), user, "embedded", request, generated), 100)[0]
    assert store.jobs.lease("w", 10) is not None
    assert store.jobs.answer(job_id, "w", {"id": job_id})
    return job_id


@pytest.fixture
def uploads(store: Store) -> tuple[str, str]:
    return upload(store, b"what was generated", "made.png")[0], upload(store, b"what to come near to", "ref.png")[0]


def kept(settings: Settings) -> list[bytes]:
    return sorted(path.read_bytes() for path in (settings.home / "media").iterdir())


def names(store: Store, user: str) -> list[str]:
    return [one["name"] for one in store.users.export(user)["media"]]  # type: ignore[union-attr,call-overload,index]


def test_an_export_lists_it_and_a_deletion_takes_it(store: Store, settings: Settings, uploads: tuple[str, str]) -> None:
    compare(store, "mira", *uploads)
    assert sorted(names(store, "mira")) == ["made.png", "ref.png"]
    assert store.users.export("mira")["jobs"][0]["request"]["reference"] == uploads[1]  # type: ignore[index,call-overload]
    assert names(store, "noor") == []
    removed = store.users.delete("mira")
    assert removed.counts["media"] == 2
    assert len(removed.files) == 2
    assert kept(settings) == []


def test_what_another_user_compares_with_stays(store: Store, settings: Settings, uploads: tuple[str, str]) -> None:
    made, reference = uploads
    compare(store, "mira", made, reference)
    compare(store, "noor", reference, made)
    store.users.delete("mira")
    assert len(kept(settings)) == 2
    assert sorted(names(store, "noor")) == ["made.png", "ref.png"]
    store.users.delete("noor")
    assert kept(settings) == []


def test_text_that_looks_like_an_upload_keeps_none(store: Store, settings: Settings, uploads: tuple[str, str]) -> None:
    made, reference = uploads
    compare(store, "mira", made, reference)
    other = upload(store, b"another", "another.png")[0]
    compare(store, "noor", other, None, ref_desc=f'{{"media": "{reference}"}}', prompt=f'"media": "{reference}"')
    assert names(store, "noor") == ["another.png"]
    store.users.delete("mira")
    assert kept(settings) == [b"another"]


def test_a_deleted_comparison_takes_both_uploads_when_nothing_else_needs_them(
    store: Store, settings: Settings, uploads: tuple[str, str]
) -> None:
    first, second = compare(store, "mira", *uploads), compare(store, "mira", *uploads)
    store.delete(first)
    assert len(kept(settings)) == 2
    store.delete(second)
    assert kept(settings) == []

"""Deleting a user (A20): a listing of the whole state folder, database pages included, proves that nothing is left."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from dqa.config import Settings
from dqa.ids import user_key
from dqa.store import Store
from dqa.store import tables as t
from dqa.store.engine import reading, writing
from tests.service.running import CLIP, RunningService, running, wait_until
from tests.store.world import canary, engine_of, files_with, furnish, rows_of, upload

TOKEN = "canary-of-the-token-93b1"
USER = "wilhelmina"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    root = tmp_path / "clips"
    root.mkdir()
    with running(tmp_path / "home", token=TOKEN, roots=root) as started:
        yield started


def live(service: RunningService, user: str, upload_of: str) -> list[str]:
    """A user's afternoon, a canary in each text: an upload, evaluations that end well and badly, choices."""
    clip = service.home.parent / f"{canary(upload_of)}.mp4"
    clip.write_bytes(CLIP.read_bytes() + upload_of.encode())
    media = service.upload(clip)
    words = canary(user)
    key = {"Idempotency-Key": f"key-{words}"}
    ids = [service.ask(media, f"a wolf {n} {words}", user=user, wait=True).json()["id"] for n in range(3)]
    ids.append(service.ask(media, f"keyed {words}", headers=key, user=user, wait=True).json()["id"])
    clip.write_bytes(CLIP.read_bytes() + upload_of.encode() + b"another")
    ids.append(service.ask(service.upload(clip), f"another {words}", user=user, wait=True).json()["id"])
    for what in ("fail", "bug", "exit:3"):
        service.ended(service.ask(media, f"{what} {words}", user=user).json()["id"])
    wait_until(lambda: service.client.get("/readyz").status_code == 200, 60)
    gone = service.ask(media, f"deleted {words}", headers={"Idempotency-Key": f"old-{words}"}, user=user, wait=True)
    assert service.client.delete(f"/v1/evaluations/{gone.json()['id']}").status_code == 204
    for n in range(3):
        choice = {"test_id": f"{words}-{n}", "a": ids[n], "b": ids[-1], "chosen": "a", "user": user}
        headers = {"Idempotency-Key": f"choice-{words}-{n}"}
        told = service.client.post("/v1/selections", json={**choice, "why": [words]}, headers=headers)
        assert told.status_code == 201, told.text
    step = {"Idempotency-Key": f"step of {user}".replace(" ", "-")}
    assert service.client.post("/v1/tuner/steps", json={"user": user}, headers=step).status_code == 200
    style = {"likes": [words], "dislikes": ["fog"]}
    assert service.client.put(f"/v1/users/{quote(user)}/style", json=style).status_code == 200
    return ids


def train(service: RunningService, user: str) -> None:
    """A training and its adapter, as they lie there afterwards."""
    folder = service.home / "adapters" / user_key(user) / "embedded" / "ad_1"
    folder.mkdir(parents=True)
    (folder / "dqa.json").write_text(f'{{"style": "{canary(user)}"}}')
    (folder.parent.parent / "training-tr_1").mkdir()
    (folder.parent.parent / "training-tr_1" / "log").write_text(canary(user))
    store = Store.open(Settings(home=service.home))
    values = {"id": f"tr_{user}", "profile": "embedded", "status": "done", "progress": "{}", "created": 1.0}
    with writing(engine_of(store)) as connection:
        connection.execute(t.trainings.insert().values(**values, user=user, request=f'{{"note": "{canary(user)}"}}'))
        reward = {"adapter": "ad_1", "evaluation": "ev_1", "reward": 0.5}
        connection.execute(t.adapter_rewards.insert().values(**reward, user=user))
    store.close()


def test_a_listing_proves_that_nothing_is_left(service: RunningService) -> None:
    for user in (USER, "bystander"):
        live(service, user, user)
        train(service, user)
    before = service.client.get("/v1/users/bystander/export").json()
    held = files_with(service.home, canary(USER))
    assert any(name.startswith("dqa.sqlite3") for name in held)
    assert [name for name in held if name.startswith("adapters")]
    exported = service.client.get(f"/v1/users/{USER}/export")
    assert canary(USER) in exported.text
    assert canary("bystander") not in exported.text
    assert TOKEN not in exported.text
    told = service.client.delete(f"/v1/users/{USER}").json()
    assert told["scrubbed"] is True
    gone = told["removed"]
    assert (gone["evaluations"], gone["selections"], gone["tuner_steps"], gone["user_styles"]) == (5, 3, 1, 1)
    assert (gone["trainings"], gone["adapter_rewards"], gone["media"], gone["jobs"]) == (1, 1, 2, 8)
    assert any(name.startswith("media/") for name in told["files"])
    assert sum(name.startswith("adapters/") for name in told["files"]) == 2
    for word in (USER, canary(USER)):
        assert files_with(service.home, word) == []
    assert not (service.home / "adapters" / user_key(USER)).exists()
    log = service.log()
    assert not [word for word in (USER, canary(USER), TOKEN) if word in log]
    after = service.client.get("/v1/users/bystander/export").json()
    assert {**after, "created": ""} == {**before, "created": ""}
    assert files_with(service.home, canary("bystander")) != []


def test_every_column_of_every_table_is_read(service: RunningService) -> None:
    live(service, USER, "both")
    live(service, "bystander", "both")  # the same upload
    assert service.client.delete(f"/v1/users/{USER}").status_code == 200
    with sqlite3.connect(service.home / "dqa.sqlite3") as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert set(t.metadata.tables) <= set(names)
        for name in names:
            rows = [str(row) for row in connection.execute(f'SELECT * FROM "{name}"')]
            assert not [row for row in rows if USER in row], name
    media = service.client.get("/v1/users/bystander/export").json()["media"]
    assert len(media) == 2, "the shared upload is still there"
    assert service.client.get(f"/v1/media/{media[0]['id']}/frames/0.jpg").status_code == 200


def test_whoever_comes_back_begins_anew(service: RunningService) -> None:
    live(service, USER, USER)
    assert service.client.delete(f"/v1/users/{USER}").status_code == 200
    state = service.client.get(f"/v1/tuner?user={USER}").json()
    assert (state["version"], state["steps"]) == (None, [])
    ids = live(service, USER, USER)
    assert len(ids) == 5, "old keys stand in nobody's way"
    assert [step["training_step"] for step in service.client.get(f"/v1/tuner?user={USER}").json()["steps"]] == [1]


def test_the_command_works_beside_a_running_service(service: RunningService) -> None:
    live(service, USER, USER)
    environ = {**os.environ, "DQA_HOME": str(service.home)}
    command = [sys.executable, "-m", "dqa", "user", "delete", USER, "--yes", "--json"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"scrubbed": true' in done.stdout
    assert files_with(service.home, USER) == []
    assert service.client.get(f"/v1/users/{USER}/export").json()["evaluations"] == []


def test_a_service_that_was_killed_while_deleting_finishes_at_its_next_start(tmp_path: Path) -> None:
    home = tmp_path / "home"
    store = Store.open(Settings(home=home))
    furnish(store, home, USER, upload(store, b"shared", "shared.mp4"), random.Random(1))
    store.close()
    script = (
        "import os, sys, pathlib\n"
        "from dqa.config import Settings\nfrom dqa.store import Store, erase\n"
        "erase.remove = lambda path: os.kill(os.getpid(), 9)\n"
        f"Store.open(Settings(home=pathlib.Path(sys.argv[1]))).users.delete({USER!r})\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(home)])
    assert killed.returncode == -9
    store = Store.open(Settings(home=home))
    assert not any(rows_of(store, USER).values()), "the transaction had ended"
    store.close()
    assert files_with(home, canary(USER)) != []
    with running(home):
        wait_until(lambda: files_with(home, canary(USER)) == [], 30)


def test_nobody_deletes_without_the_token(service: RunningService) -> None:
    live(service, USER, USER)
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer x"}):
        for method, path in (("DELETE", f"/v1/users/{USER}"), ("GET", f"/v1/users/{USER}/export")):
            assert service.client.request(method, path, headers=headers).status_code == 401
    store = Store.open(Settings(home=service.home))
    with reading(engine_of(store)):
        assert len(rows_of(store, USER)["evaluations"]) == 5
    store.close()

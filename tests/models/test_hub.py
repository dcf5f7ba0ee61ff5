"""Pulling models from a hub (a stand-in on this machine): once, whole, checked, and the same ever after."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dqa.errors import ModelUnavailable
from dqa.models.hub import lock
from dqa.models.hub.files import git_blob
from dqa.models.hub.lock import Locked, pinned
from dqa.models.hub.pull import check_space, fetch, order
from dqa.models.pool import ModelPool
from dqa.models.profiles import Component, Profile
from dqa.models.snapshot import fingerprint, snapshot
from tests.models.hub_server import Hub, point, serving
from tests.models.tiny_vision import component, save_vfm

NAME = "someone/tiny-vit"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_vfm(tmp_path_factory.mktemp("model"))


@pytest.fixture
def hub(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving(Hub()) as made:
        made.publish(NAME, model)
        point(monkeypatch, made, tmp_path / "cache")
        yield made


def wanted(**more: Any) -> Component:
    return component("vit", NAME, "hf-vfm", profile="tiny", **more)


def pull(home: Path, which: Component | None = None) -> Locked:
    return fetch(order(which or wanted(), home), home)


def refusal(home: Path, which: Component | None = None) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        pull(home, which)
    assert caught.value.fix
    return caught.value.sentence()


def identity(home: Path, which: Component) -> Any:
    profile = Profile(
        name="tiny", title="tiny", device="cpu", budget_gb=1, ready=True, can=("x",), cannot=("y",), channels={},
        components=(which,), sha256="0" * 64,
    )  # fmt: skip
    pool = ModelPool(profile, home)
    pool.get(which.id)
    return pool.identity(which.id)


def weights(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "cache").glob("models--*/snapshots/*/model.safetensors")
    return found


def test_what_is_pulled_is_locked_loaded_and_named(hub: Hub, model: Path, tmp_path: Path, home: Path) -> None:
    hub.models[NAME][hub.branches[NAME]] |= {"pytorch_model.bin": b"\x80\x04", "modeling_x.py": b"print(1)"}
    told: list[tuple[str, float]] = []
    made = order(wanted(), home)
    locked = fetch(made, home, lambda name, share: told.append((name, share)))
    assert set(locked.files) == {"config.json", "model.safetensors"}
    assert locked.licence == "mit"
    assert made.missing == made.size == sum(pin.size for pin in locked.files.values())
    assert ("model.safetensors", 1.0) in told
    assert {name for _, name, _ in hub.served} == set(locked.files), "neither pickle nor code was even asked for"
    known = pinned(wanted(), home)
    assert (known.revision, known.files) == (hub.branches[NAME], locked.files)
    assert fingerprint(snapshot(known)) == fingerprint(model)
    named = identity(home, wanted())
    assert (named.revision, named.sha256) == (hub.branches[NAME], fingerprint(model))


def test_a_second_pull_fetches_nothing_and_stays_with_the_first_commit(hub: Hub, tmp_path: Path, home: Path) -> None:
    first = pull(home)
    served = len(hub.served)
    hub.publish(NAME, save_vfm(tmp_path / "newer", seed=5))
    assert pull(home).revision == first.revision != hub.branches[NAME]
    assert order(wanted(), home).missing == 0
    assert len(hub.served) == served


def test_a_broken_connection_goes_on_where_it_broke(
    hub: Hub, model: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 4096)
    hub.broken[NAME, "model.safetensors"] = 10_000
    locked = pull(home)
    assert starts(hub) == [0, 8192], "whole chunks are kept"
    assert locked.files["model.safetensors"].size == (model / "model.safetensors").stat().st_size


PULL = """
import sys
from pathlib import Path
from huggingface_hub import constants
constants.DOWNLOAD_CHUNK_SIZE = 4096
from dqa.models.hub.pull import fetch, order
from tests.models.test_hub import wanted
home = Path(sys.argv[1])
fetch(order(wanted(), home), home)
"""


def killed_midway(hub: Hub, tmp_path: Path, home: Path) -> Path:
    """The file that a pull leaves which is killed once the server stopped sending half way."""
    cache, name = tmp_path / "cache", (NAME, "model.safetensors")
    hub.stalled[name] = 40_000
    there = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "0"}
    with subprocess.Popen([sys.executable, "-c", PULL, str(home)], env=there, cwd=Path(__file__).parents[2]) as child:
        while not (parts := [p for p in cache.glob("models--*/blobs/*.incomplete") if p.stat().st_size > 16_384]):
            assert child.poll() is None, "it ended before it was killed"
            time.sleep(0.05)
        child.kill()
    hub.go_on.set()
    assert child.returncode == -signal.SIGKILL
    (part,) = parts
    return part


def starts(hub: Hub) -> list[int]:
    return [first for _, name, first in hub.served if name == "model.safetensors"]


def test_a_pull_that_was_killed_goes_on_from_its_last_byte(hub: Hub, model: Path, tmp_path: Path, home: Path) -> None:
    part = killed_midway(hub, tmp_path, home)
    there, whole = part.stat().st_size, (model / "model.safetensors").read_bytes()
    assert lock.find(wanted(), home) is None
    assert order(wanted(), home).missing == len(whole) - there
    assert pull(home).files["model.safetensors"].sha256 == hashlib.sha256(whole).hexdigest()
    assert starts(hub) == [0, there]
    assert weights(tmp_path).read_bytes() == whole
    assert not part.exists()


def partial(model: Path, tmp_path: Path) -> Path:
    """Where the bytes of a pull under way gather."""
    blobs = tmp_path / "cache" / f"models--{NAME.replace('/', '--')}" / "blobs"
    blobs.mkdir(parents=True)
    return blobs / f"{hashlib.sha256((model / 'model.safetensors').read_bytes()).hexdigest()}.dqa.incomplete"


@pytest.mark.parametrize(("more", "begins"), [(-5000, [0]), (1, [])], ids=["damaged", "too-long"])
def test_what_a_pull_left_that_is_not_the_hubs_is_begun_anew(
    more: int, begins: list[int], hub: Hub, model: Path, tmp_path: Path, home: Path
) -> None:
    whole = (model / "model.safetensors").read_bytes()
    left = bytes(len(whole) + more)
    partial(model, tmp_path).write_bytes(left)
    pull(home)
    assert weights(tmp_path).read_bytes() == whole
    assert starts(hub) == ([len(left), *begins] if begins else [0])


def test_what_is_left_of_an_older_version_is_no_part_of_the_new_one(
    hub: Hub, model: Path, tmp_path: Path, home: Path
) -> None:
    left = partial(model, tmp_path)
    left.write_bytes((model / "model.safetensors").read_bytes()[:5000])
    newer = save_vfm(tmp_path / "newer", seed=5)
    hub.publish(NAME, newer)
    pull(home)
    assert starts(hub) == [0]
    assert weights(tmp_path).read_bytes() == (newer / "model.safetensors").read_bytes()


def test_what_an_interrupted_pull_had_whole_is_not_fetched_again(
    hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dqa.models.hub import pull as module

    real = module.client.download

    def interrupted(hub_id: str, commit: str, name: str, *rest: Any, **more: Any) -> Path:
        if name == "model.safetensors":
            raise KeyboardInterrupt
        return real(hub_id, commit, name, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(module.client, "download", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pull(home)
    assert lock.find(wanted(), home) is None, "half a model is not locked"
    pull(home)
    assert [name for _, name, _ in hub.served] == ["config.json", "model.safetensors"]


def test_other_bytes_than_the_hub_states_are_refused_and_not_kept(hub: Hub, tmp_path: Path, home: Path) -> None:
    files = hub.models[NAME][hub.branches[NAME]]
    right = files["model.safetensors"]
    hub.swapped[NAME, "config.json"] = files["config.json"].replace(b"4", b"8")
    assert "config.json is not the file that the hub states" in refusal(home)
    hub.swapped.clear()
    hub.swapped[NAME, "model.safetensors"] = right[:-1] + bytes([right[-1] ^ 1])
    assert "model.safetensors is not the file that the hub states" in refusal(home)
    assert lock.find(wanted(), home) is None
    hub.swapped.clear()
    assert set(pull(home).files) == {"config.json", "model.safetensors"}


def test_other_bytes_under_the_same_commit_are_refused(hub: Hub, tmp_path: Path, home: Path) -> None:
    first = pull(home)
    files = hub.models[NAME][first.revision]
    files["model.safetensors"] = files["model.safetensors"][:-1] + b"\x7f"
    assert "another model.safetensors" in refusal(home)
    del files["model.safetensors"]
    files["other.safetensors"] = b"x"
    assert "no longer has model.safetensors" in refusal(home)
    assert lock.find(wanted(), home) == first


def test_hashes_that_the_profile_names_bind(hub: Hub, home: Path) -> None:
    assert "another model.safetensors" in refusal(home, wanted(sha256="0" * 64))
    right = pull(home).files
    assert pull(home, wanted(sha256=right["model.safetensors"].sha256))
    wrong = {"config.json": right["config.json"].model_copy(update={"sha256": "0" * 64})}
    assert "config.json is not the file" in refusal(home, wanted(files=wrong))


def test_a_lock_that_says_other_than_the_profile_is_not_believed(hub: Hub, home: Path) -> None:
    right = pull(home).files["model.safetensors"].sha256
    assert snapshot(pinned(wanted(sha256=right), home))
    with pytest.raises(ModelUnavailable, match="the profile names"):
        snapshot(pinned(wanted(sha256="0" * 64), home))


def test_pickles_are_refused(hub: Hub, home: Path) -> None:
    (home / "empty").mkdir(parents=True)
    hub.publish(NAME, home / "empty", **{"config.json": b"{}", "pytorch_model.bin": b"\x80\x04"})
    assert "pickles (pytorch_model.bin)" in refusal(home)
    assert not hub.served


def test_a_truncated_or_exchanged_file_is_found_at_load_and_mended_by_a_pull(
    hub: Hub, tmp_path: Path, home: Path
) -> None:
    pull(home)
    blob = weights(tmp_path).resolve()
    right = blob.read_bytes()
    for wrong in (right[: len(right) // 2], right[:-1] + bytes([right[-1] ^ 1])):
        blob.write_bytes(wrong)
        with pytest.raises(ModelUnavailable, match="dqa models pull --profile tiny vit"):
            snapshot(pinned(wanted(), home))
        pull(home)
        assert weights(tmp_path).read_bytes() == right
        assert snapshot(pinned(wanted(), home))


def test_weights_linked_from_elsewhere_are_never_deleted(hub: Hub, tmp_path: Path, home: Path) -> None:
    pull(home)
    link = weights(tmp_path)
    blob, right = link.resolve(), link.read_bytes()
    elsewhere = tmp_path / "share" / "model.safetensors"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(b"somebody else's")
    for linked in (link, blob):  # the snapshot's link goes there, then the blob itself does
        linked.unlink()
        linked.symlink_to(elsewhere)
        pull(home)
        assert elsewhere.read_bytes() == b"somebody else's"
        assert link.read_bytes() == right
        assert link.resolve() == blob, "what was fetched lies in the cache"


def test_a_folder_linked_from_elsewhere_is_left_alone_and_named(hub: Hub, tmp_path: Path, home: Path) -> None:
    pull(home)
    folder, elsewhere = weights(tmp_path).parent, tmp_path / "share"
    shutil.copytree(folder, elsewhere)
    (elsewhere / "model.safetensors").write_bytes(b"somebody else's")
    shutil.rmtree(folder)
    folder.symlink_to(elsewhere)
    assert "linked from outside of the hub's cache" in refusal(home)
    assert (elsewhere / "model.safetensors").read_bytes() == b"somebody else's"


def test_a_file_that_was_only_touched_still_loads(hub: Hub, tmp_path: Path, home: Path) -> None:
    pull(home)
    blob = weights(tmp_path).resolve()
    blob.write_bytes(blob.read_bytes())
    assert snapshot(pinned(wanted(), home))


def test_what_the_hub_says_is_said_plainly(
    hub: Hub, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no model someone/else" in refusal(home, wanted().model_copy(update={"hub": "someone/else"}))
    assert "no someone/tiny-vit, revision " in refusal(home, wanted(revision="a" * 40))
    hub.gated.add(NAME)
    assert "gated" in refusal(home)
    hub.gated.clear()
    hub.models[NAME]["b" * 40] = hub.models[NAME][hub.branches[NAME]]
    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        assert "HF_HUB_OFFLINE" in refusal(home)
    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
        assert "can't be reached" in refusal(home)


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = order(wanted(), home)
    real = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=made.missing))
    check_space([made, made])  # one model that two components share is counted once
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=made.missing - 1))
    with pytest.raises(ModelUnavailable, match="HF_HUB_CACHE"):
        check_space([made])


def test_loading_never_asks_the_network(hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pull(home)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network was asked"))
    assert identity(home, wanted()).revision == hub.branches[NAME]


def test_a_damaged_lock_is_named_and_never_taken_for_an_empty_one(hub: Hub, home: Path) -> None:
    pull(home)
    path = home / lock.LOCK
    assert json.loads(path.read_text())["schema"] == "dqa.models/1"
    path.write_text("{")
    with pytest.raises(ModelUnavailable, match=r"models\.lock\.json"):
        pinned(wanted(), home)


def test_a_blob_is_named_as_git_names_it(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"what is up, doc?")
    assert git_blob(tmp_path / "x") == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"

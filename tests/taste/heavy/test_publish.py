"""Publishing: whole or not at all, checked when loaded, kept in versions; twenty kills leave no bad load."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dqa.errors import ModelUnavailable, UnavailableError
from dqa.taste.heavy.publish import CONFIG, MANIFEST, METADATA, WEIGHTS, Shelf, sweep, user_folder

KILLS = int(os.environ.get("DQA_TEST_KILLS", "20"))


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, Path]:
    weights, config = tmp_path / "w.safetensors", tmp_path / "c.json"
    weights.write_bytes(b"weights")
    config.write_text("{}")
    return weights, config


def publish(shelf: Shelf, made: tuple[Path, Path], number: int = 0) -> str:
    time.sleep(0.002)  # versions sort by milliseconds
    return shelf.publish(*made, {"number": number}).version


def test_the_newest_serves_and_is_what_was_published(tmp_path: Path, made: tuple[Path, Path]) -> None:
    shelf = Shelf(tmp_path, "mira", "embedded")
    assert shelf.current() is None
    publish(shelf, made, 1)
    publish(shelf, made, 2)
    current = shelf.current()
    assert current is not None
    assert current.metadata == {"number": 2}
    assert sorted(p.name for p in current.folder.iterdir()) == sorted([WEIGHTS, CONFIG, METADATA, MANIFEST])
    assert {p.suffix for p in current.folder.iterdir()} == {".safetensors", ".json"}


def test_users_and_profiles_are_apart_and_no_name_becomes_a_path(tmp_path: Path, made: tuple[Path, Path]) -> None:
    for user in ("../../evil", "mira", "Mira", "a" * 5000, "\udc80"):
        shelf = Shelf(tmp_path, user, "embedded")
        assert shelf.current() is None
        publish(shelf, made)
        assert user_folder(tmp_path, user).parent == tmp_path / "adapters"
    assert Shelf(tmp_path, "mira", "rtx3090").current() is None
    assert len(list((tmp_path / "adapters").iterdir())) == 5
    with pytest.raises(UnavailableError):
        Shelf(tmp_path, "mira", "../x")


def test_so_many_are_kept_and_the_serving_one_always(tmp_path: Path, made: tuple[Path, Path]) -> None:
    shelf = Shelf(tmp_path, "mira", "embedded", keep=3)
    versions = [publish(shelf, made, n) for n in range(5)]
    assert shelf.versions() == versions[-3:]
    shelf.rollback(versions[2])
    current = shelf.current()
    assert current is not None
    assert current.version == versions[2]


def test_going_back_repoints_and_going_to_nothing_is_refused(tmp_path: Path, made: tuple[Path, Path]) -> None:
    shelf = Shelf(tmp_path, "mira", "embedded")
    first, second = publish(shelf, made, 1), publish(shelf, made, 2)
    shelf.rollback(first)
    assert serving(shelf) == first
    shelf.rollback(second)
    assert serving(shelf) == second
    for wrong in ("ad_" + "0" * 26, "../x", ""):
        with pytest.raises(ModelUnavailable):
            shelf.rollback(wrong)
    shelf.withdraw()
    assert shelf.current() is None
    assert shelf.versions() == [first, second]


def serving(shelf: Shelf) -> str | None:
    current = shelf.current()
    return None if current is None else current.version


@pytest.mark.parametrize("damage", ["truncate", "flip", "missing", "pickle", "link", "manifest"])
def test_what_is_damaged_is_refused_and_the_one_before_serves(
    tmp_path: Path, made: tuple[Path, Path], damage: str
) -> None:
    shelf = Shelf(tmp_path, "mira", "embedded")
    first, second = publish(shelf, made, 1), publish(shelf, made, 2)
    folder = shelf.folder / second
    if damage == "truncate":
        (folder / WEIGHTS).write_bytes(b"wei")
    elif damage == "flip":
        (folder / WEIGHTS).write_bytes(b"weightz")
    elif damage == "missing":
        (folder / CONFIG).unlink()
    elif damage == "pickle":
        (folder / "training_args.bin").write_bytes(b"\x80\x04.")
    elif damage == "link":
        (folder / CONFIG).unlink()
        (folder / CONFIG).symlink_to(shelf.folder / first / CONFIG)
    else:
        manifest = json.loads((folder / MANIFEST).read_text())
        manifest["files"] = {"evil.pkl": "0" * 64}
        (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelUnavailable):
        shelf.load(second)
    assert serving(shelf) == first


def test_a_full_disk_leaves_nothing(tmp_path: Path, made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path, "mira", "embedded")
    first = publish(shelf, made, 1)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(UnavailableError, match="No space left"):
            shelf.publish(*made, {})
    assert serving(shelf) == first
    assert sorted(p.name for p in shelf.folder.iterdir()) == ["CURRENT", first]


def test_debris_is_swept_and_nothing_else(tmp_path: Path, made: tuple[Path, Path]) -> None:
    shelf = Shelf(tmp_path, "mira", "embedded")
    publish(shelf, made, 1)
    before = sorted(shelf.folder.rglob("*"))
    (shelf.folder / ".partial-ad_x").mkdir()
    (shelf.folder / ".partial-ad_x" / WEIGHTS).write_bytes(b"half")
    (shelf.folder / ".CURRENT.part").write_bytes(b"ad_")
    assert sweep(tmp_path) == [".CURRENT.part", ".partial-ad_x"]
    assert sorted(shelf.folder.rglob("*")) == before


PUBLISHER = """
import sys
from pathlib import Path
from dqa.taste.heavy.publish import Shelf
home = Path(sys.argv[1])
shelf = Shelf(home, "mira", "embedded", keep=3)
number = int(sys.argv[2])
print("ready", flush=True)
while True:
    number += 1
    (home / "w").write_bytes(b"%d " % number * 20_000)
    shelf.publish(home / "w", home / "c", {"number": number})
"""


def number_of(shelf: Shelf) -> int:
    current = shelf.current()
    return 0 if current is None else current.metadata["number"]


@pytest.mark.slow
def test_kills_while_publishing_leave_no_bad_load_and_no_step_back(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("{}")
    shelf = Shelf(tmp_path, "mira", "embedded", keep=3)
    last, published = 0, 0
    for kill in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, str(tmp_path), str(last)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        # Loading goes on while somebody publishes; every other kill waits until something was published.
        deadline = time.monotonic() + 0.02 + 0.013 * (kill % 7)
        while time.monotonic() < deadline or (kill % 2 and number_of(shelf) == last):
            assert last == 0 or shelf.current() is not None
            assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        current = shelf.current()
        if current is not None:
            number = current.metadata["number"]
            assert number >= last
            assert (current.folder / WEIGHTS).read_bytes() == b"%d " % number * 20_000
            published += number - last
            last = number
        sweep(tmp_path)
        assert not list(shelf.folder.glob(".*"))
    assert published >= KILLS / 4, "it was killed before it ever published: that proves nothing"

"""Hashes of large files are taken once, here and in the next process, and again when a file has changed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from dqa.config import Settings
from dqa.models import digests
from dqa.models.digests import FILE, known_digest
from dqa.models.hub.files import digest
from dqa.models.profiles import Component
from dqa.models.snapshot import fingerprint
from dqa.models.vlm.local import _identity


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read."""
    told: list[str] = []

    def counted(path: Path) -> str:
        told.append(path.name)
        return digest(path)

    monkeypatch.setattr(digests, "digest", counted)
    monkeypatch.setattr(digests, "_KNOWN", {})
    return told


def weights(folder: Path, byte: bytes = b"w", age: float = 60.0) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "model.safetensors"
    path.write_bytes(byte * (1 << 20))
    when = path.stat().st_mtime - age
    os.utime(path, (when, when))
    return path


def next_process() -> None:
    digests._KNOWN.clear()


def test_a_large_file_is_read_once_here_and_in_the_next_process(tmp_path: Path, read: list[str]) -> None:
    path, home = weights(tmp_path / "m"), tmp_path / "home"
    wanted = hashlib.sha256(path.read_bytes()).hexdigest()
    assert {known_digest(path, home), known_digest(path, home)} == {wanted}
    next_process()
    assert known_digest(path, home) == wanted
    assert read == ["model.safetensors"]


def test_without_a_state_folder_this_process_alone_remembers(tmp_path: Path, read: list[str]) -> None:
    path = weights(tmp_path / "m")
    known_digest(path)
    known_digest(path)
    assert len(read) == 1
    next_process()
    known_digest(path)
    assert len(read) == 2


@pytest.mark.parametrize("age", [30.0, 90.0])
def test_a_file_that_changed_is_read_again(age: float, tmp_path: Path, read: list[str]) -> None:
    home = tmp_path / "home"
    before = known_digest(weights(tmp_path / "m"), home)
    after = known_digest(weights(tmp_path / "m", b"x", age), home)
    assert after == hashlib.sha256(b"x" * (1 << 20)).hexdigest() != before
    assert len(read) == 2


def test_a_file_that_may_still_change_unseen_is_not_remembered(tmp_path: Path, read: list[str]) -> None:
    path = weights(tmp_path / "m", age=0.0)
    known_digest(path, tmp_path)
    known_digest(path, tmp_path)
    assert len(read) == 2
    assert not (tmp_path / FILE).exists()


def test_files_that_are_gone_are_forgotten_and_a_damaged_list_costs_a_read(tmp_path: Path, read: list[str]) -> None:
    gone = weights(tmp_path / "gone")
    known_digest(gone, tmp_path)
    gone.unlink()
    path = weights(tmp_path / "m")
    known_digest(path, tmp_path)
    kept = (tmp_path / FILE).read_text()
    assert str(path) in kept
    assert str(gone) not in kept
    (tmp_path / FILE).write_text("{")
    next_process()
    assert known_digest(path, tmp_path) == digest(path)
    assert len(read) == 3


def test_a_model_of_one_s_own_is_named_without_reading_it_again(tmp_path: Path, read: list[str]) -> None:
    folder, home = tmp_path / "m", tmp_path / "home"
    weights(folder)
    (folder / "config.json").write_text("{}")
    component = Component(
        id="vlm", role="r", phase="verification", memory_gb=1, memory_source="stated", licence="MIT", hub="a/b"
    )
    names = set()
    for _ in range(2):
        next_process()
        names.add(_identity(component, Settings(home=home, vlm_folder=folder), folder).sha256)
    assert names == {fingerprint(folder)}
    assert read.count("model.safetensors") == 1
    (folder / "config.json").write_text("[]")
    assert fingerprint(folder, home) not in names

"""Fingerprints are taken once: while the files are as they were, nothing reads them again."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dqa.models import fingerprints, snapshot
from dqa.models.fingerprints import KEPT, known


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    for path in folder.iterdir():
        os.utime(path, (time.time() - 60, time.time() - 60))
    return folder


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders that were read."""
    read: list[Path] = []
    take = snapshot.fingerprint

    def counted(folder: Path) -> str:
        read.append(folder)
        return take(folder)

    monkeypatch.setattr(snapshot, "fingerprint", counted)
    monkeypatch.setattr(fingerprints, "_here", {})
    return read


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in another process."""
    monkeypatch.setattr(fingerprints, "_here", {})


def test_a_process_reads_a_model_once(folder: Path, taken: list[Path]) -> None:
    assert known(folder) == known(folder)
    assert taken == [folder]
    assert known(folder).sha256 == snapshot.fingerprint(folder)


def test_the_next_process_reads_none(
    folder: Path, tmp_path: Path, taken: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = known(folder, tmp_path / "home")
    forget(monkeypatch)
    assert known(folder, tmp_path / "home") == first
    forget(monkeypatch)
    assert known(folder, told=first) == first
    assert taken == [folder]
    assert [p.name for p in (tmp_path / "home").iterdir()] == [KEPT]


def test_what_was_changed_is_read_again(folder: Path, tmp_path: Path, taken: list[Path]) -> None:
    first = known(folder, tmp_path)
    weights = folder / "model.safetensors"
    before = weights.stat()
    weights.write_bytes(b"WEIGHTS")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))  # the same size, and a time that was put back
    assert known(folder, tmp_path, first).sha256 != first.sha256
    (folder / "chat_template.jinja").write_text("x")
    assert known(folder, tmp_path, first).sha256 != first.sha256
    assert len(taken) == 3


def test_files_that_have_just_been_written_are_not_trusted(folder: Path, taken: list[Path]) -> None:
    (folder / "config.json").write_text("{ }")
    known(folder)
    known(folder)
    assert len(taken) == 2


@pytest.mark.parametrize("damage", [b"{", b'{"schema": "x", "models": {"a": 1}}'])
def test_a_damaged_file_costs_a_reading(folder: Path, tmp_path: Path, taken: list[Path], damage: bytes) -> None:
    (tmp_path / KEPT).write_bytes(damage)
    assert known(folder, tmp_path).sha256 == snapshot.fingerprint(folder)
    assert known(folder, tmp_path) == known(folder, tmp_path)
    assert len(taken) == 2


def test_a_state_folder_that_cannot_be_written_costs_nothing_else(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    assert known(folder, tmp_path / "home").sha256 == snapshot.fingerprint(folder)

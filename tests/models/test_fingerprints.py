"""A fingerprint that a process was told is believed while the folder looks the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dqa.models import fingerprints
from dqa.models.fingerprints import known
from dqa.models.snapshot import fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_what_was_told_is_believed_without_reading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = known(folder)
    assert first.sha256 == fingerprint(folder)
    monkeypatch.setattr(fingerprints, "fingerprint", lambda *_: pytest.fail("it was read"))
    assert known(folder, told=first) == first


def test_what_was_changed_is_read_again(folder: Path, tmp_path: Path) -> None:
    first = known(folder)
    weights = folder / "model.safetensors"
    before = weights.stat()
    weights.write_bytes(b"WEIGHTS")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))  # the same size, and a time that was put back
    assert known(folder, tmp_path, first).sha256 != first.sha256
    (folder / "chat_template.jinja").write_text("x")
    assert known(folder, tmp_path, first).sha256 != first.sha256

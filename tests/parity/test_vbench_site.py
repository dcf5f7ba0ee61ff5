"""Fetching VBench's package for the benchmark: what is there is kept, and what can't be fetched is said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.vbench_site import VERSIONS, complaint, provide
from dqa.errors import UnavailableError


def test_a_folder_with_the_package_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "vbench").mkdir()
    assert provide(tmp_path, pytest.fail, python="/nowhere/python") == tmp_path


def test_what_pip_gets_is_pinned() -> None:
    pinned = {line.partition("==")[0].lower() for line in VERSIONS.read_text().splitlines() if "==" in line}
    assert {"openai-clip", "setuptools", "ftfy", "wcwidth", "regex", "decord", "easydict", "torchvision"} <= pinned


def test_an_index_that_can_not_be_reached_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_TIMEOUT": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    told: list[str] = []
    with pytest.raises(UnavailableError, match="--site, a folder that already holds the package") as caught:
        provide(tmp_path / "site", told.append, python=sys.executable)
    assert "\n" not in caught.value.sentence()
    assert told, "it says what it fetches"


def test_the_last_error_of_pips_is_what_is_told() -> None:
    assert (
        complaint("WARNING: x\nERROR: first\nERROR: No matching distribution\n\nhint: y\n")
        == "No matching distribution"
    )
    assert complaint("No module named pip") == "No module named pip"
    assert complaint("\n") == "pip said nothing"

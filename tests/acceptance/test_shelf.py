"""Versions are written once and whole, one is in force, and damage is named."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from dqa.acceptance.content import Calibration
from dqa.acceptance.shelf import DamagedFit, Shelf, calibrations, serving
from dqa.errors import UnavailableError, VersionNotFound
from tests.acceptance.world import a_map, calibration


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf[Calibration]:
    return calibrations(tmp_path, "embedded")


def test_nothing_is_in_force_at_first(shelf: Shelf[Calibration]) -> None:
    assert shelf.in_force() is None
    assert shelf.numbers() == []


def test_a_version_is_in_force_once_it_is_kept_and_older_ones_stay(shelf: Shelf[Calibration]) -> None:
    one = shelf.add(calibration(semantic=a_map()))
    two = shelf.add(calibration(spatial=a_map()))
    assert (one.content.version, two.content.version) == (1, 2)
    assert shelf.in_force() == two
    assert shelf.get(1) == one
    assert one.sha256 != two.sha256


def test_going_back_and_to_none(shelf: Shelf[Calibration]) -> None:
    one = shelf.add(calibration(semantic=a_map()))
    shelf.add(calibration())
    shelf.put_in_force(1)
    assert shelf.in_force() == one
    shelf.put_in_force(0)
    assert shelf.in_force() is None
    assert shelf.add(calibration()).content.version == 3


def test_a_version_that_is_not_there_can_not_serve(shelf: Shelf[Calibration]) -> None:
    shelf.add(calibration())
    with pytest.raises(VersionNotFound, match="no version 7"):
        shelf.put_in_force(7)
    assert shelf.number_in_force() == 1


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"sha256": "x"}', "\0" * 50])
def test_a_damaged_file_is_named(shelf: Shelf[Calibration], damage: str) -> None:
    shelf.add(calibration(semantic=a_map()))
    (shelf.folder / "0001.json").write_text(damage)
    with pytest.raises(DamagedFit, match=r"version 1 .* is damaged"):
        shelf.in_force()
    assert serving(shelf)[0] is None
    assert "--reset" in serving(shelf)[1]


def test_a_changed_number_is_found_out(shelf: Shelf[Calibration]) -> None:
    shelf.add(calibration(semantic=a_map()))
    file = shelf.folder / "0001.json"
    data = json.loads(file.read_text())
    data["content"]["channels"]["semantic"]["accepted"] = 0.5
    file.write_text(json.dumps(data))
    with pytest.raises(DamagedFit, match="not what its hash says"):
        shelf.get(1)


def test_another_profiles_version_is_not_taken(shelf: Shelf[Calibration], tmp_path: Path) -> None:
    shelf.add(calibration(semantic=a_map()))
    other = calibrations(tmp_path, "rtx3090")
    other.folder.mkdir(parents=True)
    (other.folder / "0001.json").write_bytes((shelf.folder / "0001.json").read_bytes())
    with pytest.raises(DamagedFit):
        other.get(1)


def test_a_damaged_word_on_which_is_in_force_is_named(shelf: Shelf[Calibration]) -> None:
    shelf.add(calibration())
    (shelf.folder / "in-force").write_bytes(b"\xff\xfe?")
    with pytest.raises(DamagedFit, match="which calibration"):
        shelf.in_force()
    shelf.put_in_force(1)
    assert shelf.number_in_force() == 1


def test_a_folder_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "fits").write_text("a file is in the way")
    with pytest.raises(UnavailableError, match="can't be kept"):
        calibrations(tmp_path, "embedded").add(calibration())


def _add(home: Path) -> None:
    for _ in range(5):
        calibrations(home, "embedded").add(calibration())


def test_several_at_once_take_a_number_each(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    running = [spawn.Process(target=_add, args=(tmp_path,)) for _ in range(2)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    shelf = calibrations(tmp_path, "embedded")
    assert shelf.numbers() == list(range(1, 11))
    assert all(shelf.get(number).content.version == number for number in shelf.numbers())
    assert not list(shelf.folder.glob(".*"))

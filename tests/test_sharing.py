"""Two processes that share a machine: what stays together, and who waits for whom."""

from __future__ import annotations

import multiprocessing
import threading
import time
from pathlib import Path

import pytest

from tests.sharing import folder_of, turn


@pytest.mark.parametrize(
    ("nodeid", "folder"),
    [
        ("tests/web/test_player.py::test_a", "tests/web"),
        ("tests/taste/heavy/test_tier.py::test_a[x/y::z]", "tests/taste/heavy"),
        ("tests/test_config.py::test_a", "tests"),
    ],
)
def test_a_folder_stays_together(nodeid: str, folder: str) -> None:
    assert folder_of(nodeid) == folder


def begin(folder: Path, alone: bool) -> tuple[threading.Thread, threading.Event]:
    """Another test, which may begin or has to wait; the event says that it has begun and ended."""
    ran = threading.Event()

    def run() -> None:
        with turn(folder, alone):
            ran.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, ran


def test_usual_tests_run_side_by_side(tmp_path: Path) -> None:
    with turn(tmp_path, alone=False):
        thread, _ = begin(tmp_path, alone=False)
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.parametrize(("first", "second"), [(False, True), (True, False), (True, True)])
def test_one_of_which_one_is_alone_waits_for_the_other(tmp_path: Path, first: bool, second: bool) -> None:
    with turn(tmp_path, first):
        thread, ran = begin(tmp_path, second)
        assert not ran.wait(0.2)
    thread.join(60)
    assert ran.is_set()


def test_a_child_that_lives_on_keeps_nobody_waiting(tmp_path: Path) -> None:
    with turn(tmp_path, alone=False):
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
        child.start()
    try:
        thread, ran = begin(tmp_path, alone=True)
        thread.join(60)
        assert ran.is_set()
    finally:
        child.kill()
        child.join()


def test_a_single_process_waits_for_nobody() -> None:
    with turn(None, alone=True), turn(None, alone=True):
        pass

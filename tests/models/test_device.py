"""The device: shared by evaluations, alone for a training, free again when its holder dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dqa.errors import Cancelled
from dqa.models import device

HOLDER = """
import sys, time
from pathlib import Path
from dqa.models import device
with device.alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def held_by_another(home: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(home)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def give_up() -> None:
    raise Cancelled("enough", fix="")


def test_evaluations_share_it(tmp_path: Path) -> None:
    with device.shared(tmp_path, give_up), device.shared(tmp_path, give_up):
        with device.alone_if_free(tmp_path) as free:
            assert not free
        with pytest.raises(Cancelled), device.alone(tmp_path, give_up):
            pytest.fail("a training beside evaluations")
    with device.alone_if_free(tmp_path) as free:
        assert free


def test_a_training_has_it_alone_until_it_is_killed(tmp_path: Path) -> None:
    process = held_by_another(tmp_path)
    try:
        with pytest.raises(Cancelled), device.shared(tmp_path, give_up):
            pytest.fail("an evaluation beside a training")
        told: list[int] = []

        def kill() -> None:
            told.append(1)
            os.kill(process.pid, signal.SIGKILL)

        with device.shared(tmp_path, kill):
            assert told == [1]
    finally:
        process.kill()
        process.communicate()


def test_a_child_that_inherited_it_keeps_it(tmp_path: Path) -> None:
    with device.alone(tmp_path) as descriptor:
        child = subprocess.Popen(["sleep", "600"], pass_fds=(descriptor,))
    try:
        with device.alone_if_free(tmp_path) as free:
            assert not free
    finally:
        child.kill()
        child.wait()
    with device.alone_if_free(tmp_path) as free:
        assert free


def test_a_waiting_training_goes_before_later_evaluations(tmp_path: Path) -> None:
    waits, got, first = threading.Event(), threading.Event(), threading.Event()

    def train() -> None:
        with device.alone(tmp_path, waits.set):
            got.set()
            first.wait(90)

    with device.shared(tmp_path, give_up):
        thread = threading.Thread(target=train)
        thread.start()
        assert waits.wait(60)
        with pytest.raises(Cancelled), device.shared(tmp_path, give_up):
            pytest.fail("it came after the training asked")
        assert not got.is_set()
    assert got.wait(60)
    first.set()
    thread.join(60)


def test_a_state_folder_that_can_not_be_written_locks_nothing(tmp_path: Path) -> None:
    with device.shared(tmp_path / "none" / "deeper", give_up):
        pass
    assert not (tmp_path / "none").exists()


def test_whether_a_training_has_it_can_be_asked(tmp_path: Path) -> None:
    assert not device.training(tmp_path / "no-such-folder")
    with device.shared(tmp_path):
        assert not device.training(tmp_path)
    process = held_by_another(tmp_path)
    try:
        assert device.training(tmp_path)
    finally:
        process.kill()
        process.communicate()
    assert not device.training(tmp_path)

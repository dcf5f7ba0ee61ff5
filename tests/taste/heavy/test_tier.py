"""The parent's side: hears the process, ends it within seconds, and decides what may serve."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from dqa.errors import Cancelled, UnavailableError, WorkerDied
from dqa.taste.heavy.config import Finished, Progress, recipe
from dqa.taste.heavy.tier import decide, run_process
from tests.children import children as mine
from tests.taste.heavy import tiny


def finished(**changes: Any) -> Finished:
    given = {"steps": 40, "best_step": 20, "best_loss": 0.5, "loss": 0.5, **changes}
    return Finished.model_validate(given)


@pytest.mark.parametrize(
    ("changes", "promoted"),
    [
        ({}, True),
        ({"loss": math.log(2)}, False),
        ({"loss": 0.70}, False),
        ({"loss": None}, False),
        ({"best_step": None}, False),
        ({"best_step": 0}, True),
        ({"best_step": 0, "loss": math.log(2)}, False),
        ({"compared": (0.50, 0.55, 20)}, True),
        ({"compared": (0.55, 0.50, 20)}, False),
        ({"compared": (0.50, 0.50, 20)}, False),
        ({"loss": 0.70, "compared": (0.50, 0.55, 20)}, False),
    ],
)
def test_the_gate(changes: dict[str, Any], promoted: bool) -> None:
    decision = decide(finished(**changes))
    assert decision.promoted is promoted
    assert decision.reason


def test_a_process_trains_and_tells(base: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    done = run_process(tiny.request(tmp_path, tiny.quick(base)), told.append, lambda: False)
    assert done.steps == 12
    assert done.loss is not None
    assert [p.stage for p in told][:2] == ["loading", "training"]
    assert told[-1].stage == "scoring"


def test_a_refusal_of_the_process_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="not on this machine"):
        run_process(tiny.request(tmp_path, recipe(str(tmp_path / "none"))), lambda _: None, lambda: False)


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        (None, "0"),
        ("", ""),
        ("-1", "-1"),
        ("3", "3"),
        ("2,0", "2"),
        (" 1 , 2", "1"),
        ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6,GPU-0", "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"),
    ],
)
def test_the_process_sees_one_gpu(monkeypatch: pytest.MonkeyPatch, visible: str | None, seen: str) -> None:
    from dqa.taste.heavy.tier import _environment  # pyright: ignore[reportPrivateUsage]

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert _environment()["CUDA_VISIBLE_DEVICES"] == seen


def test_what_nobody_expected_is_one_sentence_too(base: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file where a folder has to be")
    with pytest.raises(UnavailableError, match=r"the training failed with \w+Error") as told:
        run_process(tiny.request(tmp_path, tiny.quick(base)), lambda _: None, lambda: False)
    assert "\n" not in told.value.what


def endless(base: Path, scratch: Path) -> Any:
    return tiny.request(scratch, tiny.quick(base, min_steps=1000, max_steps=1000, evaluations=100, patience=1000))


def children() -> list[psutil.Process]:
    """This test's own trainings that still run."""
    return [process for process in mine() if _trains(process)]


def _trains(process: psutil.Process) -> bool:
    try:
        return "dqa.taste.heavy.train" in " ".join(process.cmdline())
    except psutil.Error:  # it has just ended
        return False


def test_cancelling_ends_it_within_seconds(base: Path, tmp_path: Path) -> None:
    asked: list[float] = []
    seen: list[Progress] = []

    def stopping() -> bool:
        if seen and seen[-1].step >= 3:
            asked.append(time.monotonic())
        return bool(asked)

    with pytest.raises(Cancelled):
        run_process(endless(base, tmp_path), seen.append, stopping)
    assert time.monotonic() - asked[0] < 50, "the training itself would take minutes"
    assert not children()


def test_a_killed_process_is_noticed(base: Path, tmp_path: Path) -> None:
    def kill(progress: Progress) -> None:
        # Told again of what it had said before it died, there is nobody left to kill.
        for process in children() if progress.step >= 3 else ():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    with pytest.raises(WorkerDied):
        run_process(endless(base, tmp_path), kill, lambda: False)
    assert not children()


PARENT = """
import sys
from pathlib import Path
from dqa.taste.heavy.tier import run_process
from tests.taste.heavy import tiny
base, scratch = map(Path, sys.argv[1:])
config = tiny.quick(base, min_steps=1000, max_steps=1000, evaluations=100, patience=1000)
run_process(tiny.request(scratch, config), lambda p: print(p.step, flush=True), lambda: False)
"""


@pytest.mark.slow
def test_the_process_dies_with_whoever_started_it(base: Path, tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(base), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert parent.stdout is not None
    while parent.stdout.readline() != "3\n":
        assert parent.poll() is None
    child = psutil.Process(parent.pid).children()[0]
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    child.wait(timeout=60)
    assert not child.is_running()

"""``dqa models vbench-env`` and ``--benchmark-backend``, on a stand-in of the environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dqa.cli import runtime
from tests.cli.conftest import Run
from tests.cli.doubles import ScriptedEvaluator
from tests.models.vbench_stand_in import stand_in

Clip = Callable[[str], Path]


def test_check_lists_what_runs_and_what_lacks_which_file(cli: Run, home: Path) -> None:
    stand_in(home)
    done = cli("models", "vbench-env", "--check", "--json")
    assert done.code == 0
    assert done.json["versions"]["vbench"] == "0.1.5"
    assert done.json["dimensions"]["temporal_flickering"] == {"runs": True, "lacks": None}
    assert "raft-things.pth" in done.json["dimensions"]["dynamic_degree"]["lacks"]
    text = cli("models", "vbench-env", "--check").out
    assert "temporal_flickering: runs" in text
    assert "human_action: not for one clip" in text


def test_check_without_one_is_exit_4_and_makes_nothing(cli: Run, home: Path) -> None:
    done = cli("models", "vbench-env", "--check")
    assert done.code == 4
    assert "dqa models vbench-env" in done.err
    assert not (home / "vbench-env").exists()


def test_a_finished_one_is_left_alone_and_can_be_removed(cli: Run, home: Path) -> None:
    stand_in(home)
    assert cli("models", "vbench-env").code == 0
    assert cli("models", "vbench-env", "--remove").code == 0
    assert not (home / "vbench-env").exists()
    assert (home / "vbench-weights").exists()
    assert "was not there" in cli("models", "vbench-env", "--remove").err


def test_one_that_does_not_work_is_exit_4(cli: Run, home: Path) -> None:
    environment = stand_in(home)
    environment.python.write_text("#!/bin/sh\nexit 1\n")
    done = cli("models", "vbench-env", "--check")
    assert done.code == 4
    assert done.out == ""


def test_options_that_contradict_are_wrong_usage(cli: Run) -> None:
    assert cli("models", "vbench-env", "--check", "--remove").code == 2
    assert cli("models", "vbench-env", "--check", "--non-commercial").code == 2


def test_a_python_that_is_none_is_said(cli: Run, tmp_path: Path) -> None:
    done = cli("models", "vbench-env", "--python", tmp_path / "nothing")
    assert done.code == 4
    assert "3.11" in done.err


@pytest.mark.parametrize("command", ["evaluate", "batch"])
def test_the_backend_is_handed_on(
    cli: Run, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    chosen: list[Any] = []

    def make(settings: Any) -> ScriptedEvaluator:
        chosen.append(settings.benchmark_backend)
        return ScriptedEvaluator(settings)

    monkeypatch.setattr(runtime, "make_evaluator", make)
    media = clip("a-0.7.mp4")
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(json.dumps({"id": "1", "media": str(media), "prompt": "a fox"}))
    words = [media, "--prompt", "a fox"] if command == "evaluate" else [manifest, "--output", tmp_path / "o.jsonl"]
    assert cli(command, *words, "--benchmark-backend", "vbench").code == 0
    assert chosen == ["vbench"]
    done = cli(command, *words, "--benchmark-backend", "best")
    assert done.code == 2
    assert "--benchmark-backend" in done.err


def test_reproduce_uses_the_records_backend_whatever_the_setting_says_now(
    cli: Run, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = cli("evaluate", clip("a-0.7.mp4"), "--prompt", "a fox", "--json").json
    chosen: list[Any] = []

    def make(settings: Any) -> ScriptedEvaluator:
        chosen.append(settings.benchmark_backend)
        return ScriptedEvaluator(settings)

    monkeypatch.setattr(runtime, "make_evaluator", make)
    monkeypatch.setenv("DQA_BENCHMARK_BACKEND", "vbench")
    file = tmp_path / "record.json"
    for backend in (None, "measured"):
        record["reproduce"]["benchmark_backend"] = backend
        file.write_text(json.dumps(record))
        cli("reproduce", file, "--json", "--quiet")
    assert chosen == [None, "measured"]


def test_a_batch_keeps_to_one_backend(cli: Run, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, out = tmp_path / "m.jsonl", tmp_path / "o.jsonl"
    manifest.write_text(json.dumps({"id": "1", "media": str(clip("a-0.7.mp4")), "prompt": "a fox"}))
    assert cli("batch", manifest, "--output", out).code == 0
    assert cli("batch", manifest, "--output", out).code == 0
    done = cli("batch", manifest, "--output", out, "--benchmark-backend", "vbench")
    assert done.code == 2
    assert "not comparable" in done.err

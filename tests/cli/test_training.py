"""``dqa tuner train``: says what is missing, how a training stands, and cancels it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dqa.cli.guard import run as command
from dqa.config import Settings
from dqa.store import Store


def run(home: Path, *words: str) -> int:
    return command(["tuner", "train", "--home", str(home), "--user", "mira", *words])


def test_without_a_model_it_says_which_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 4
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "no language model is set; set DQA_TASTE_MODEL" in shown.err


def test_the_status_tells_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--status", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "user": "mira",
        "profile": "embedded",
        "enabled": False,
        "pairs": 0,
        "new": 0,
        "due": False,
        "why": "0 clean pairs of 100",
        "dropped": {},
        "training": None,
    }
    assert run(tmp_path, "--status") == 0
    assert "no training yet" in capsys.readouterr().out


def test_cancelling_a_waiting_one_and_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--cancel") == 4
    assert "no training is under way" in capsys.readouterr().err
    store = Store.open(Settings(home=tmp_path))
    asked, _ = store.trainings.queue("mira", "embedded", {"pairs": 100, "until": 100})
    assert run(tmp_path, "--cancel", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["id"], told["status"]) == (asked.id, "cancelled")
    assert told["outcome"] == {"reason": "cancelled before it began"}


def test_too_few_pairs_is_no_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DQA_TASTE_MODEL", str(tmp_path))
    assert run(tmp_path) == 4
    assert "no training now: 0 clean pairs of 100" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        ({"stage": "loading"}, "loading"),
        (
            {"stage": "distilling", "step": 3, "of": 80, "loss": 2.5},
            "learning from the light tier, step 3 of 80, loss 2.500",
        ),
        ({"stage": "training", "step": 10, "of": 30, "eval_loss": 0.61}, "step 10 of 30, held-out loss 0.610"),
        ({"stage": "scoring", "step": 30, "of": 30}, "scoring"),
    ],
)
def test_progress_says_what_is_being_done(
    progress: dict[str, Any], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from dqa.cli.training import _progress  # pyright: ignore[reportPrivateUsage]
    from dqa.taste.heavy.config import Progress

    _progress()(Progress.model_validate(progress))
    assert capsys.readouterr().err.strip().endswith(line)

"""dqa choose and dqa tuner: choices are kept once, learned from, and predicted; bad ones are one clear sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dqa.config import Settings
from dqa.store import Store
from tests.store.test_choices import evaluation

WHEN = "2026-01-01T00:00:00Z"


@pytest.fixture
def store(home: Path) -> Store:
    store = Store.open(Settings(home=home))
    for i in range(6):
        store.save_record(evaluation(f"smooth{i}", 0.9), Path("a.mp4"))
        store.save_record(evaluation(f"rough{i}", 0.2), Path("b.mp4"))
    return store


def dqa(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "dqa", *arguments], capture_output=True, text=True, env=os.environ)


def test_from_choices_to_a_prediction(store: Store) -> None:
    for i in range(6):
        done = dqa(
            "choose", "--a", f"ev_smooth{i}", "--b", f"ev_rough{i}", "--chosen", "a", "--test-id", f"t{i}", "--json"
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["new"] is True
    again = dqa("choose", "--a", "ev_smooth0", "--b", "ev_rough0", "--chosen", "a", "--test-id", "t0", "--json")
    assert json.loads(again.stdout)["new"] is False
    step = json.loads(dqa("tuner", "step", "--json").stdout)
    assert (step["training_step"], step["choices_seen"]) == (1, 6)
    assert {"training_step", "loss", "new_patterns", "model_confidence"} <= set(step)
    prediction = json.loads(dqa("tuner", "predict", "ev_smooth0", "ev_rough1", "--json").stdout)
    assert prediction["p_a"] > 0.6
    low, high = prediction["interval"]
    assert low <= prediction["p_a"] <= high
    assert prediction["version"] == 1
    assert any("motion" in reason for reason in prediction["because"])
    mirrored = json.loads(dqa("tuner", "predict", "ev_rough1", "ev_smooth0", "--json").stdout)
    assert mirrored["p_a"] == pytest.approx(1 - prediction["p_a"])
    assert json.loads(dqa("tuner", "status", "--json").stdout)["choices"] == 6
    assert json.loads(dqa("tuner", "history", "--json").stdout)["training_step"] == 1
    assert "6 choices" in dqa("tuner", "status").stdout


def test_an_import_keeps_what_it_can_and_names_the_rest(store: Store, tmp_path: Path) -> None:
    lines = [
        {"test_id": "1", "user": "mira", "a": "ev_smooth0", "b": "ev_rough0", "chosen": "a", "timestamp": WHEN},
        {"test_id": "2", "user": "mira", "a": "ev_smooth1", "b": "ev_gone", "chosen": "a"},
        {"test_id": "3", "user": "mira", "a": "ev_smooth1", "b": "ev_rough1", "chosen": "left"},
        {"test_id": "4", "a": "ev_smooth1", "b": "ev_rough1"},
        {"test_id": "5", "user": "mira", "a": "ev_smooth2", "b": "ev_rough2", "chosen": "tie"},
    ]  # fmt: skip
    file = tmp_path / "choices.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)) + "\nnot json\n\n")
    done = dqa("choose", "--import", str(file), "--json")
    assert done.returncode == 3
    assert [json.loads(line)["test_id"] for line in done.stdout.splitlines()] == ["1", "5"]
    assert [f"line {n}:" in done.stderr for n in (1, 2, 3, 4, 5, 6)] == [False, True, True, True, False, True]
    kept = store.selections.page("mira", 10)
    assert [(s.test_id, s.chosen, s.source) for s in kept] == [("1", "a", "file"), ("5", "tie", "file")]
    assert kept[0].created == WHEN.replace("Z", ".000Z")
    assert dqa("choose", "--import", str(file), "--json").returncode == 3
    assert len(store.selections.page("mira", 10)) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["choose", "--a", "ev_smooth0", "--b", "ev_rough0"], 2, "--chosen"),
        (["choose", "--a", "ev_smooth0", "--b", "ev_rough0", "--chosen", "left"], 2, "say a, b or tie"),
        (["choose", "--a", "ev_smooth0", "--b", "ev_smooth0", "--chosen", "a"], 2, "same clip"),
        (["choose", "--a", "ev_smooth0", "--b", "ev_none", "--chosen", "a"], 3, "no evaluation with that id"),
        (["choose", "--import", "nowhere.jsonl"], 3, "can't be read"),
        (["tuner", "predict", "ev_smooth0", "ev_none"], 3, "no evaluation with that id"),
        (["tuner", "predict", "ev_smooth0", __file__], 3, "not an evaluation record"),
    ],
)
def test_bad_input_is_one_clear_sentence(store: Store, arguments: list[str], code: int, says: str) -> None:
    done = dqa(*arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_without_choices_it_says_so(home: Path) -> None:
    assert json.loads(dqa("tuner", "status", "--json").stdout)["version"] is None
    assert json.loads(dqa("tuner", "step", "--json").stdout)["training_step"] == 0

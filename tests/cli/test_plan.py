"""``dqa plan``: every phase with its models, where their figures come from, their licences, and whether it fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from dqa.models.profiles import load_profile
from dqa.models.residency.figures import Figure, MemoryBook, key_of
from tests.cli.conftest import Run, sentence

PROFILE = load_profile("embedded")


def test_json_keeps_its_keys_and_says_where_figures_come_from(cli: Run, home: Path) -> None:
    told = cli("plan", "--json").json
    assert {
        "profile", "device", "ready", "mode", "budget_gb", "phases", "total_gb", "peak_gb", "fits",
        "components", "loads_each_round",
    } == set(told)  # fmt: skip
    assert {"name", "components", "gb", "channels", "kept", "load", "evict"} == set(told["phases"][0])
    assert {row["source"] for row in told["components"]} == {"declared"}
    assert all(row["licence"] for row in told["components"])
    key = key_of(PROFILE.component("minilm"), "cpu")
    MemoryBook(home).write(key, Figure(gb=0.5, work_gb=0.1))
    again = cli("plan", "--json").json
    row = next(row for row in again["components"] if row["id"] == "minilm")
    assert (row["gb"], row["work_gb"], row["source"], row["declared_gb"]) == (0.5, 0.1, "measured", 0.09)
    assert again["total_gb"] == pytest.approx(told["total_gb"] - 0.09 + 0.5)
    assert again["peak_gb"] == pytest.approx(again["total_gb"] + 0.1)


def test_the_page_names_models_sources_licences_and_what_comes_and_goes(cli: Run) -> None:
    text = cli("plan", "--mode", "sequential").out
    for component in PROFILE.components:
        assert component.id in text
        assert component.licence in text
    assert "declared" in text
    assert "unloaded: efficientnet-lite2, minilm" in text


def test_a_budget_that_is_too_small_names_the_model_and_what_to_do(cli: Run) -> None:
    done = cli("plan", "--budget-gb", "0.05", "--json")
    assert done.code == 4
    assert done.json["fits"] is False
    told = sentence(done)
    assert "efficientnet-lite0 (0.10 GB, declared)" in told
    assert "--budget-gb" in told


def test_a_budget_that_only_training_exceeds_is_said_to_do_for_evaluating(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DQA_TASTE_MODEL", "some/language-model")
    done = cli("plan", "--profile", "rtx3090", "--budget-gb", "12")
    assert done.code == 4
    assert "only evaluating does" in done.out
    assert "phase training" in done.err


def test_no_memory_is_kept_for_a_language_model_of_taste_that_nobody_named(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for budget in (12, 16):
        done = cli("plan", "--profile", "rtx3090", "--budget-gb", budget, "--json")
        told = done.json
        assert (done.code, told["mode"], told["loads_each_round"], told["fits"]) == (0, "resident", 0, True)
        assert told["total_gb"] == pytest.approx(10.88, abs=0.01)
        assert not [row["id"] for row in told["components"] if row["id"].startswith("preference")]
    monkeypatch.setenv("DQA_TASTE_MODEL", "some/language-model")
    told = cli("plan", "--profile", "rtx3090", "--budget-gb", "24", "--json").json
    assert {phase["name"]: phase["gb"] for phase in told["phases"]}["training"] == 18
    assert told["total_gb"] == pytest.approx(16.88, abs=0.01)


def test_the_plan_is_that_of_the_backends_that_are_asked_for(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQA_BENCHMARK_BACKEND", "measured")
    told = cli("plan", "--profile", "remote-vlm", "--mode", "sequential", "--json").json
    assert next(p for p in told["phases"] if "benchmark" in p["channels"])["components"] == ["efficientnet-lite0"]


@pytest.mark.parametrize("budget", ["inf", "-inf", "nan"])
def test_a_budget_without_end_is_one_clear_sentence(cli: Run, monkeypatch: pytest.MonkeyPatch, budget: str) -> None:
    done = cli("plan", "--json", f"--budget-gb={budget}")
    assert done.code == 2
    assert sentence(done) == "dqa: --budget-gb: input should be a finite number; correct it."
    monkeypatch.setenv("DQA_BUDGET_GB", budget)
    for command in (("plan", "--json"), ("evaluate", "clip.mp4", "--prompt", "a fox")):
        done = cli(*command)
        assert done.code == 2
        assert sentence(done) == "dqa: DQA_BUDGET_GB: input should be a finite number; correct it."

"""A card has less than the round number it is sold with; no plan, check or evaluation may believe otherwise."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dqa.cli.checks.machine import gpu
from dqa.config import Settings
from dqa.evaluator import Evaluator
from dqa.models.profiles import load_profile
from dqa.models.residency import card
from tests.cli.conftest import Run

RTX = load_profile("rtx3090")


def of(total: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with one card of so many gigabytes."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a card")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=int(total * 2**30)))


def test_the_budget_is_the_profile_s_or_what_the_card_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, own = Settings(home=tmp_path), Settings(home=tmp_path, budget_gb=40)
    assert card.budget_gb(RTX, plain) == 24
    assert card.overdrawn(RTX, own) is None, "without a card nothing is known of one"
    of(23.69, monkeypatch)
    assert card.budget_gb(RTX, plain) == pytest.approx(23.69 - card.RESERVE_GB)
    assert card.budget_gb(RTX, own) == 40
    assert "22.2 GB" in (card.overdrawn(RTX, own) or "")
    assert card.overdrawn(RTX, plain) is None
    assert card.budget_gb(load_profile("embedded"), plain) == 1.2
    of(80, monkeypatch)
    assert card.budget_gb(RTX, plain) == 24


def test_an_evaluator_loads_no_more_than_the_card_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of(23.69, monkeypatch)
    grader = Evaluator(Settings(home=tmp_path), RTX)
    assert grader.plan.budget_gb == pytest.approx(22.19)
    assert grader.pool._residency._budget == pytest.approx(22.19)


def test_doctor_wants_what_the_plan_takes_not_a_round_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for total, budget, taste, level, said in [
        (23.69, None, None, "ok", ""),
        (12.0, None, None, "ok", ""),
        (12.0, None, "lm", "warn", "18.0 GB"),
        (8.0, None, None, "fail", "9.8 GB at once"),
        (12.0, 24, None, "fail", "10.5 GB can be taken; the budget is 24 GB"),
        (23.69, 23, None, "warn", "lower DQA_BUDGET_GB"),
        (23.69, 5, None, "fail", "5.0 GB can be taken"),
    ]:
        of(total, monkeypatch)
        found = gpu(RTX, Settings(home=tmp_path, budget_gb=budget, taste_model=taste))
        assert (found.level, said in (found.fix or "")) == (level, True), (total, budget, found)
    assert gpu(load_profile("embedded"), Settings(home=tmp_path)).level == "ok"


def test_plan_shows_the_card_s_memory_and_warns_of_a_budget_beyond(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("plan", "--profile", "rtx3090", "--json").json["budget_gb"] == 24
    of(23.69, monkeypatch)
    assert cli("plan", "--profile", "rtx3090", "--json").json["budget_gb"] == pytest.approx(22.19)
    told = cli("plan", "--profile", "rtx3090", "--budget-gb", "24")
    assert told.code == 0
    assert "22.2 GB" in told.err
    assert told.err.startswith("dqa: Warning")

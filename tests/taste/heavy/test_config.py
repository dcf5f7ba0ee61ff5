"""Recipes: the mission's figures, bounds, and what is chosen on which machine."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from dqa.errors import ModelUnavailable
from dqa.taste.heavy.config import LARGE_RATE, SMALL_RATE, learning_rate_for, recipe
from dqa.taste.heavy.machine import How, Machine, choose

GPU = Machine(cuda=True, bf16=True, bitsandbytes=True, unsloth=True)


def test_the_defaults_are_the_missions() -> None:
    config = recipe("base")
    assert (config.rank, config.alpha, config.dropout, config.beta) == (16, 16, 0.0, 0.1)
    assert config.targets == ("q_proj", "k_proj", "v_proj", "o_proj")
    assert (config.batch, config.accumulation, config.max_steps) == (2, 4, 1000)
    assert recipe("base", feed_forward=True).targets[-3:] == ("gate_proj", "up_proj", "down_proj")


@pytest.mark.parametrize(
    "wrong", [{"rank": 0}, {"max_steps": 1001}, {"beta": 0}, {"dropout": 1.0}, {"rank": "8"}, {"x": 1}]
)
def test_a_wrong_recipe_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        recipe("base", **wrong)  # pyright: ignore[reportArgumentType]


def test_steps_are_epochs_but_not_too_few_and_never_over_a_thousand() -> None:
    config = recipe("base")
    assert config.steps(80) == 40
    assert config.steps(400) == 100
    assert config.steps(1_000_000) == 1000
    assert config.every(40) == 5


def test_the_rate_falls_with_the_size() -> None:
    sizes = [1e7, 1.35e8, 5e8, 1e9, 3e9, 6e9, 8e9]
    rates = [learning_rate_for(int(size)) for size in sizes]
    assert rates[0] == rates[2] == SMALL_RATE
    assert rates[-2] == rates[-1] == LARGE_RATE
    assert rates == sorted(rates, reverse=True)
    assert SMALL_RATE > rates[3] > rates[4] > LARGE_RATE


def test_a_gpu_gets_bf16_four_bits_and_the_accelerator() -> None:
    assert choose(recipe("b"), GPU) == How("cuda", bf16=True, nf4=True, unsloth=True)
    assert choose(recipe("b", accelerator="none", quantise="none", precision="fp32"), GPU) == How(
        "cuda", bf16=False, nf4=False, unsloth=False
    )


def test_a_cpu_gets_none_of_it_and_says_what_was_wanted() -> None:
    assert choose(recipe("b"), Machine()) == How("cpu", bf16=False, nf4=False, unsloth=False)
    how = choose(recipe("b", accelerator="unsloth", precision="bf16"), Machine(unsloth=True))
    assert not how.unsloth
    assert how.notes == (
        "Unsloth was asked for and left out: there is no GPU",
        "bf16 was asked for and left out: this device does not compute in it",
    )


def test_an_accelerator_that_is_not_installed_is_left_out() -> None:
    how = choose(recipe("b", accelerator="unsloth"), Machine(cuda=True, bf16=True, bitsandbytes=True))
    assert not how.unsloth
    assert how.notes == ("Unsloth was asked for and left out: it is not installed",)


def test_four_bits_asked_for_by_name_are_needed() -> None:
    with pytest.raises(ModelUnavailable, match="CUDA"):
        choose(recipe("b", quantise="nf4"), Machine(bitsandbytes=True))
    with pytest.raises(ModelUnavailable, match="bitsandbytes"):
        choose(recipe("b", quantise="nf4"), Machine(cuda=True, bf16=True))


def test_bf16_that_a_gpu_only_emulates_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")

    def supported(including_emulation: bool = True) -> bool:
        return including_emulation  # as on a card before Ampere

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert Machine.here().cuda
    assert not Machine.here().bf16

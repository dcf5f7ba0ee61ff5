"""A vision-language model in NF4 without a GPU: bitsandbytes computes it on a CPU too, if slowly.

The product never chooses that (:mod:`dqa.models.vlm.local_machine`); what is quantised, what is left alone and what is
answered is the same. It computes in float32 here, so that answers can be compared closely.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from dqa.models.vlm.local_machine import Arguments, How, Machine
from tests.four_bits import unpacked
from tests.models.test_vlm_local import FAMILIES, QUESTIONS, odds, opened, pictures

bitsandbytes = pytest.importorskip("bitsandbytes")


@pytest.fixture(params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return FAMILIES[request.param](tmp_path)


def in_four_bits(_arguments: Arguments, _machine: Machine) -> How:
    return How(device="cpu", dtype="float32", nf4=True, attention="sdpa")


def linear(model: Any) -> dict[str, Any]:
    return {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}


def test_the_language_model_is_quantised_and_answers_as_the_weights_that_it_stands_for(folder: Path) -> None:
    plain = opened(folder)
    with unpacked() as patch:
        patch.setattr("dqa.models.vlm.local_machine.choose", in_four_bits)
        quantised = opened(folder)
    found, own = linear(quantised._model), linear(plain._model)
    small = {name for name, module in found.items() if isinstance(module, bitsandbytes.nn.Linear4bit)}
    assert small == {name for name in own if ".language_model." in name}
    assert any(".visual." in name or ".vision_tower." in name for name in own.keys() - small)
    assert "lm_head" in own.keys() - small
    images = pictures((64, 96), (64, 96))
    for name in small:
        weight = found[name].weight
        assert (weight.quant_state.quant_type, weight.quant_state.nested) == ("nf4", True)
        own[name].weight.data.copy_(bitsandbytes.functional.dequantize_4bit(weight.data, weight.quant_state))
    wanted = odds(plain.ask(images, QUESTIONS))
    unrounded = odds(opened(folder).ask(images, QUESTIONS))
    assert unrounded != pytest.approx(wanted, abs=1e-3), "weights that four bits hold exactly prove nothing"
    assert odds(quantised.ask(images, QUESTIONS)) == pytest.approx(wanted, abs=1e-3)


def kept_of(model: Any) -> dict[str, torch.Tensor]:
    """Every tensor that a quantised model computes with."""
    found = dict(model.state_dict(keep_vars=True))  # weights with what 4 bit keeps beside them
    for name, weight in model.named_parameters():
        for state, which in ((getattr(weight, "quant_state", None), ""), (getattr(weight, "quant_state", None), "2")):
            part = getattr(state, "state2", None) if which else state
            if part is not None:
                tensors = {key: value for key, value in vars(part).items() if isinstance(value, torch.Tensor)}
                found |= {f"{name}.state{which}.{key}": value for key, value in tensors.items()}
    return found


def test_all_of_a_model_in_four_bits_leaves_the_device_and_comes_back_bit_for_bit(tmp_path: Path) -> None:
    with unpacked() as patch:
        patch.setattr("dqa.models.vlm.local_machine.choose", in_four_bits)
        vlm = opened(next(iter(FAMILIES.values()))(tmp_path))
    images = pictures((64, 96))
    asked = odds(vlm.ask(images, QUESTIONS[:2]))
    before = {name: (tensor.data_ptr(), tensor.detach().clone()) for name, tensor in kept_of(vlm._model).items()}
    assert any(name.endswith("state2.absmax") for name in before)
    shared = bitsandbytes.functional.name2qmap.get("dynamic")
    place = None if shared is None else shared.data_ptr()
    for device in ("cpu", "cpu:0"):  # away, and back
        vlm.to(device)
        for name, tensor in kept_of(vlm._model).items():
            assert tensor.numel() == 0 or tensor.data_ptr() != before[name][0] or device != "cpu", f"{name} stays"
            assert torch.equal(tensor, before[name][1]), name
    assert odds(vlm.ask(images, QUESTIONS[:2])) == asked
    assert shared is None or shared.data_ptr() == place, "other models use this table too"

"""QLoRA without a GPU: the whole training over a base in NF4, which bitsandbytes computes on a CPU too, if slowly.

The product never chooses that (:mod:`dqa.taste.heavy.machine`); what is loaded, trained and written is the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dqa.taste.heavy.config import Progress, TrainingConfig, recipe
from dqa.taste.heavy.machine import How, Machine
from tests.four_bits import unpacked
from tests.taste.heavy import tiny
from tests.taste.heavy.conftest import Trained, run_here
from tests.taste.heavy.renderings import choices

bitsandbytes = pytest.importorskip("bitsandbytes")
pytest.importorskip("trl")

pytestmark = pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")

FOUR_BITS = How("cpu", bf16=False, nf4=True, unsloth=False)


def chosen(_config: TrainingConfig, _machine: Machine) -> How:
    return FOUR_BITS


@pytest.fixture(scope="module", autouse=True)
def _unpacked() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    with unpacked():
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [text for e in choices(100) for text in (e.chosen, e.rejected)]
    return tiny.save_tiny_model(tmp_path_factory.mktemp("base"), texts=texts)


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    config = tiny.quick(base, learning_rate=5e-3, distillation_steps=12, min_steps=24, max_steps=24)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dqa.taste.heavy.dpo.choose", chosen)
        return run_here(
            tiny.request(
                tmp_path_factory.mktemp("scratch"),
                config,
                train=tuple(choices(60)),
                held_out=tuple(choices(20, seed=9)),
            )
        )


def test_only_the_blocks_are_in_four_bits(base: Path) -> None:
    import torch

    from dqa.taste.heavy.base import load_base

    model = load_base(recipe(str(base)), FOUR_BITS).model
    quantised = {n for n, m in model.named_modules() if isinstance(m, bitsandbytes.nn.Linear4bit)}
    assert quantised == {n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)} - {"lm_head"}
    state = model.model.layers[0].self_attn.q_proj.weight.quant_state
    assert (state.quant_type, state.nested) == ("nf4", True)


def test_it_is_distilled_and_trained(trained: Trained) -> None:
    steps = [p for p in trained.told if isinstance(p, Progress)]
    taught = [p.loss for p in steps if p.stage == "distilling" and p.loss is not None]
    held_out = [p.eval_loss for p in steps if p.stage == "training" and p.eval_loss is not None]
    assert len(taught) == 12
    assert sum(taught[-4:]) < sum(taught[:4])
    assert held_out[-1] < math.log(2)
    assert trained.finished.base["nf4"] is True
    assert trained.finished.loss is not None


def test_the_rewards_are_those_of_the_weights_that_four_bits_stand_for(base: Path, trained: Trained) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from dqa.taste.heavy.base import load_base
    from dqa.taste.heavy.score import implicit_rewards

    loaded = load_base(recipe(str(base)), FOUR_BITS)
    plain: Any = AutoModelForCausalLM.from_pretrained(str(base), use_safetensors=True)
    rounded = 0.0
    for name, module in loaded.model.named_modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            weight: Any = module.weight
            stands_for = bitsandbytes.functional.dequantize_4bit(weight.data, weight.quant_state)
            own = plain.get_submodule(name).weight
            rounded = max(rounded, float((own.detach() - stands_for).abs().max()))
            own.data.copy_(stands_for)
    assert rounded > 1e-3, "weights that four bits hold exactly prove nothing"
    texts = [(e.prompt, e.chosen) for e in choices(6, seed=4)]
    found = implicit_rewards(
        PeftModel.from_pretrained(loaded.model, str(trained.candidate)), loaded.tokenizer, texts, 0.1
    )
    wanted = implicit_rewards(PeftModel.from_pretrained(plain, str(trained.candidate)), loaded.tokenizer, texts, 0.1)
    assert found == pytest.approx(wanted, abs=1e-4)
    assert torch.tensor(found).std() > 0.01, "an adapter that changes nothing proves nothing"

"""QLoRA without a GPU: the whole training over a base in NF4, which bitsandbytes computes on a CPU too, if slowly.

The product never chooses that (:mod:`dqa.taste.heavy.machine`); what is loaded, trained and written is the same.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dqa.taste.heavy.config import Progress, Sample, TrainingConfig, TrainingRequest, recipe
from dqa.taste.heavy.machine import How
from tests.four_bits import unpacked
from tests.taste.heavy import tiny
from tests.taste.heavy.conftest import Trained, run_here
from tests.taste.heavy.renderings import choices

bitsandbytes = pytest.importorskip("bitsandbytes")
pytest.importorskip("trl")

pytestmark = pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")

FOUR_BITS = How("cpu", bf16=False, nf4=True, unsloth=False)


@pytest.fixture(scope="module", autouse=True)
def _unpacked() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    with unpacked():
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [text for e in choices(100) for text in (e.chosen, e.rejected)]
    return tiny.save_tiny_model(tmp_path_factory.mktemp("base"), texts=texts)


@pytest.fixture(scope="module")
def held() -> list[Any]:
    """The types of what is trained, whenever a step is told."""
    return []


@pytest.fixture(scope="module")
def trained(base: Path, held: list[Any], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    config = tiny.quick(base, learning_rate=5e-3, distillation_steps=12, min_steps=24, max_steps=24)
    return watched(asked(config, tmp_path_factory.mktemp("scratch")), FOUR_BITS, held)


def asked(config: TrainingConfig, scratch: Path) -> TrainingRequest:
    samples = [Sample(id=str(i), prompt=e.prompt, response=e.chosen) for i, e in enumerate(choices(6, seed=4))]
    return tiny.request(scratch, config, samples, train=tuple(choices(60)), held_out=tuple(choices(20, seed=9)))


def watched(request: TrainingRequest, how: How, held: list[Any]) -> Trained:
    """Trains as ``how`` says, and notes the types of what is trained."""
    from dqa.taste.heavy import dpo

    def logged(self: Any, *given: Any, **rest: Any) -> None:
        held.append({p.dtype for p in rest["model"].parameters() if p.requires_grad})
        told(self, *given, **rest)

    told = dpo._Watch.on_log  # pyright: ignore[reportPrivateUsage]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dpo, "choose", lambda *_: how)
        patch.setattr(dpo._Watch, "on_log", logged)  # pyright: ignore[reportPrivateUsage]
        return run_here(request)


def saved(trained: Trained) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(str(trained.candidate / "adapter_model.safetensors"))


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


def test_what_is_trained_is_finer_than_bf16(trained: Trained, held: list[Any]) -> None:
    import torch

    assert len(held) > 24
    assert all(types == {torch.float32} for types in held)
    weights = saved(trained)
    assert {w.dtype for w in weights.values()} == {torch.float32}
    assert all((w != w.bfloat16().float()).any() for w in weights.values())


def test_it_is_so_too_when_it_goes_on_after_a_kill(trained: Trained, tmp_path: Path) -> None:
    import torch

    shutil.copytree(trained.request.scratch, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "candidate")
    for checkpoint in (tmp_path / "checkpoints").glob("checkpoint-24"):
        shutil.rmtree(checkpoint)
    held: list[Any] = []
    again = watched(trained.request.model_copy(update={"scratch": str(tmp_path)}), FOUR_BITS, held)
    steps = [p.step for p in again.told if isinstance(p, Progress) and p.stage == "training" and p.loss is not None]
    assert steps == list(range(19, 25))
    assert all(types == {torch.float32} for types in held)
    assert again.finished.loss == pytest.approx(trained.finished.loss, abs=1e-3)


def test_in_bf16_the_rewards_of_training_are_those_of_serving(base: Path, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel

    from dqa.taste.heavy.base import load_base
    from dqa.taste.heavy.score import implicit_rewards

    how, held = How("cpu", bf16=True, nf4=True, unsloth=False), list[Any]()
    config = tiny.quick(base, learning_rate=5e-3, distillation_steps=12)
    done = watched(asked(config, tmp_path), how, held)
    assert all(types == {torch.float32} for types in held)
    loaded = load_base(config, how)
    texts = [(s.prompt, s.response) for s in done.request.samples]
    served = PeftModel.from_pretrained(loaded.model, str(done.candidate))
    found = implicit_rewards(served, loaded.tokenizer, texts, config.beta)
    assert done.finished.rewards, "the gate let it through"
    assert found == pytest.approx(list(done.finished.rewards.values()), abs=1e-6)


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

"""Distillation on a tiny model: the adapter comes to agree with its teacher, and a training begins there."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqa.taste.heavy.config import Progress, TrainingRequest
from dqa.taste.heavy.rendering import render_features, render_prompt
from dqa.taste.heavy.teacher import Asked, Lesson, lessons
from tests.taste.heavy import tiny
from tests.taste.heavy.conftest import Trained, run_here
from tests.taste.heavy.renderings import choices, clip

pytest.importorskip("trl")

STEPS = 24


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model whose tokenizer knows the words of whole renderings."""
    texts = [text for e in choices(100) for text in (e.chosen, e.rejected)]
    return tiny.save_tiny_model(tmp_path_factory.mktemp("base"), texts=texts)


def asked(base: Path, scratch: Path, **changes: Any) -> TrainingRequest:
    """A training that hardly moves once the light tier has taught it."""
    config = tiny.quick(base, learning_rate=2e-2, distillation_steps=STEPS, min_steps=2, max_steps=2, **changes)
    held_out = tuple(choices(20, seed=9))
    return tiny.request(scratch, config, train=tuple(choices(60)), held_out=held_out)


@pytest.fixture(scope="module")
def taught(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return run_here(asked(base, tmp_path_factory.mktemp("scratch")))


def adapted(base: Path) -> tuple[Any, Any]:
    """The base as it is loaded, and the same with an adapter that adds nothing yet."""
    import torch
    from peft import LoraConfig, get_peft_model

    from dqa.taste.heavy.base import load_base
    from dqa.taste.heavy.config import recipe
    from dqa.taste.heavy.machine import How

    torch.manual_seed(0)
    config = recipe(str(base))
    loaded = load_base(config, How("cpu", bf16=False, nf4=False, unsloth=False))
    lora = LoraConfig(r=8, lora_alpha=16, target_modules=list(config.targets), task_type="CAUSAL_LM")
    return loaded, get_peft_model(loaded.model, lora)


def test_the_adapter_comes_to_agree_with_its_teacher(base: Path, tmp_path: Path) -> None:
    from dqa.taste.heavy.distillation import LESSONS, distil
    from dqa.taste.heavy.score import implicit_rewards

    loaded, model = adapted(base)
    config = tiny.quick(base, learning_rate=5e-3, distillation_steps=STEPS)
    real, told = choices(60), list[Any]()
    assert distil(loaded, model, lessons(real, LESSONS * STEPS, 0), config, told.append, tmp_path / "kept")
    losses = [p.loss for p in told]
    assert len(losses) == STEPS
    assert np.mean(losses[-4:]) < np.mean(losses[:4])
    assert all(p.grad is None for p in model.parameters()), "what is left would be added to the first step of DPO"
    rng = np.random.default_rng(5)
    texts = [(render_prompt("a fox"), render_features(clip(rng))) for _ in range(40)]
    rewards = implicit_rewards(model, loaded.tokenizer, texts, config.beta)
    wanted = [_worth(next(lessons(real, 1, 0)), text) for _, text in texts]
    assert np.corrcoef(rewards, wanted)[0, 1] > 0.3, "0.48 to 0.59 with other first weights"


@pytest.mark.parametrize("moved", [0.0, 0.05])
def test_its_loss_is_the_formula(base: Path, moved: float) -> None:
    import torch

    from dqa.taste.heavy.distillation import _loss  # pyright: ignore[reportPrivateUsage]

    loaded, model = adapted(base)
    _put(model, {n: torch.full_like(p, moved) for n, p in model.named_parameters() if "lora_B" in n})
    part, beta = list(lessons(choices(30), 3, 0)), 0.1
    found = _loss(loaded, model, part, beta)
    assert found is not None
    shapes, totals, plains = list[float](), list[float](), list[float]()
    for lesson in part:
        given = _implicit(model, loaded.tokenizer, lesson.prompt, lesson.response, beta)
        digits, shape = set[int](), 0.0
        for asked in lesson.asked:
            each = [_implicit(model, loaded.tokenizer, lesson.prompt, text, beta) for text in asked.texts]
            (at,) = {i for one in each for i, (a, b) in enumerate(zip(one, given, strict=True)) if a[0] != b[0]}
            digits.add(at)
            shape += float(np.var([one[at][1] - r for one, r in zip(each, asked.rewards, strict=True)]))
        shapes.append(shape)
        totals.append(sum(reward for _, reward in given) - lesson.reward)
        plains.append(sum(reward**2 for i, (_, reward) in enumerate(given) if i not in digits))
    assert float(found.shape.detach()) == pytest.approx(np.mean(shapes), rel=1e-3)
    assert float(found.total.detach()) == pytest.approx(np.var(totals, ddof=1), rel=1e-3)
    assert float(found.plain.detach()) == pytest.approx(np.mean(plains), rel=1e-3, abs=1e-9)
    assert (float(found.plain.detach()) > 1e-4) == bool(moved), "an adapter that changes nothing proves nothing"


def _implicit(model: Any, tokenizer: Any, prompt: str, response: str, beta: float) -> list[tuple[int, float]]:
    """Each token of a response with its implicit reward, by one sequence and plain softmax."""
    import torch

    start = len(tokenizer(prompt)["input_ids"])
    ids = tokenizer(prompt + response)["input_ids"] + [tokenizer.eos_token_id]
    with torch.no_grad():
        now = torch.log_softmax(model(input_ids=torch.tensor([ids])).logits[0], -1)
        with model.disable_adapter():
            reference = torch.log_softmax(model(input_ids=torch.tensor([ids])).logits[0], -1)
    return [(ids[t], beta * float(now[t - 1, ids[t]] - reference[t - 1, ids[t]])) for t in range(start, len(ids))]


def test_whole_clips_come_to_count_on_the_way() -> None:
    import torch

    from dqa.taste.heavy.distillation import _Loss  # pyright: ignore[reportPrivateUsage]

    loss = _Loss(*(torch.tensor(x) for x in (1.0, 100.0, 0.0)))
    counted = [float(loss.weighted(done / 10)) for done in range(1, 11)]
    assert counted == pytest.approx([1, 1, 1, 26, 51, 76, 101, 101, 101, 101])
    assert loss.whole == pytest.approx(101)


def _worth(lesson: Lesson, text: str) -> float:
    """What the teacher gives a clip: the sum over its scores."""
    from dqa.taste.features import INDEX
    from dqa.taste.heavy.rendering import SCORES, digit_value, read_features

    values = read_features(text)
    tenth = {digit_value(d): d for d in range(10)}
    by_name = dict(zip(SCORES, lesson.asked, strict=True))
    return sum(a.rewards[tenth[float(values[INDEX[name]])]] for name, a in by_name.items())


def test_a_training_begins_where_the_light_tier_left_off(taught: Trained) -> None:
    steps = [p for p in taught.told if isinstance(p, Progress)]
    assert [p.step for p in steps if p.stage == "distilling"] == list(range(1, STEPS + 1))
    first = next(p for p in steps if p.stage == "training")
    assert first.step == 0
    assert first.eval_loss is not None
    assert first.eval_loss != pytest.approx(math.log(2), abs=1e-3), "of an adapter that begins with nothing"
    assert taught.finished.best_step is not None


def test_what_was_taught_is_kept_for_a_process_that_goes_on(taught: Trained, tmp_path: Path) -> None:
    # What a kill before the first checkpoint leaves behind.
    kept = "distilled.safetensors"
    shutil.copyfile(Path(taught.request.scratch) / kept, tmp_path / kept)
    again = run_here(taught.request.model_copy(update={"scratch": str(tmp_path)}))
    assert not any(isinstance(p, Progress) and p.stage == "distilling" for p in again.told)
    assert again.finished.loss == pytest.approx(taught.finished.loss, abs=1e-4)


class Killed(BaseException):
    """Ends a distillation where it is, as a kill does."""


def test_a_killed_one_goes_on_where_it_was(base: Path, tmp_path: Path) -> None:
    from dqa.taste.heavy.distillation import KEPT_EVERY, LESSONS, distil

    config = tiny.quick(base, learning_rate=2e-2, distillation_steps=KEPT_EVERY + 4)
    taught = list(lessons(choices(20), LESSONS * config.distillation_steps, 0))

    def killed(told: Any) -> None:
        if told.step == KEPT_EVERY + 2:
            raise Killed

    (loaded, whole), (_, model) = adapted(base), adapted(base)
    start = {name: p.detach().clone() for name, p in whole.named_parameters() if p.requires_grad}
    _put(model, start)
    assert distil(loaded, whole, taught, config, lambda _: None, tmp_path / "whole")
    with pytest.raises(Killed):
        distil(loaded, model, taught, config, killed, tmp_path / "kept")
    _, again = adapted(base)
    told: list[Any] = []
    assert distil(loaded, again, taught, config, told.append, tmp_path / "kept")
    assert [p.step for p in told] == list(range(KEPT_EVERY + 1, KEPT_EVERY + 5))
    wanted = dict(whole.named_parameters())
    for name, p in again.named_parameters():
        if p.requires_grad:
            assert torch_close(p, wanted[name])


def _put(model: Any, values: dict[str, Any]) -> None:
    for name, p in model.named_parameters():
        if name in values:
            p.data.copy_(values[name])


def torch_close(one: Any, other: Any) -> bool:
    import torch

    return torch.allclose(one, other, atol=1e-4)


def test_activations_are_computed_anew_where_the_trainer_is_told_so(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dqa.taste.heavy import dpo

    made, distil, on = dpo.DPOConfig, dpo.distil, list[bool]()

    def watched(base: Any, model: Any, *given: Any) -> bool:
        on.append(model.get_base_model().is_gradient_checkpointing)
        return distil(base, model, *given)

    monkeypatch.setattr(dpo, "distil", watched)
    for wanted in (False, True):
        monkeypatch.setattr(dpo, "DPOConfig", lambda w=wanted, **rest: made(**{**rest, "activation_checkpointing": w}))
        run_here(asked(base, tmp_path / str(wanted)).model_copy(update={"samples": ()}))
    assert on == [False, True]


def test_activations_computed_anew_change_no_gradient(base: Path) -> None:
    from dqa.taste.heavy.distillation import _loss  # pyright: ignore[reportPrivateUsage]

    loaded, model = adapted(base)
    part, passes = list(lessons(choices(30), 4, 0)), list[int]()
    model.train()
    layer = model.get_base_model().model.layers[0].self_attn.q_proj
    layer.register_forward_hook(lambda *_: passes.append(1))
    kept = _gradients(_loss(loaded, model, part, 0.1), model)
    assert len(passes) == 2, "the reference and the adapter"
    model.activation_checkpointing_enable()
    anew = _gradients(_loss(loaded, model, part, 0.1), model)
    assert len(passes) == 2 + 3, "and the adapter again on the way back"
    assert kept.keys() == anew.keys()
    assert all((kept[name] == anew[name]).all() for name in kept)
    assert any((gradient != 0).any() for gradient in kept.values())


def _gradients(loss: Any, model: Any) -> dict[str, Any]:
    loss.weighted(1.0).backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


def test_a_state_that_is_damaged_is_begun_anew(base: Path, tmp_path: Path) -> None:
    from dqa.taste.heavy.distillation import distil

    loaded, model = adapted(base)
    (tmp_path / "kept").write_bytes(b"half a file")
    told: list[Any] = []
    config = tiny.quick(base, distillation_steps=1)
    assert distil(loaded, model, lessons(choices(5), 4, 0), config, told.append, tmp_path / "kept")
    assert [p.step for p in told] == [1]


def test_it_is_left_out_where_digits_have_no_token_of_their_own(base: Path, tmp_path: Path) -> None:
    from dqa.taste.heavy.distillation import distil

    loaded, model = adapted(base)
    before = {name: p.clone() for name, p in model.named_parameters() if p.requires_grad}
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    odd = Asked(tuple(f"motion {w} tags none" for w in words), tuple(map(float, range(10))))
    lesson = Lesson(render_prompt("a fox"), odd.texts[3], (odd,))
    told: list[Any] = []
    assert not distil(loaded, model, [lesson] * 8, tiny.quick(base, distillation_steps=2), told.append, tmp_path / "k")
    assert told == []
    assert all((p == before[name]).all() for name, p in model.named_parameters() if p.requires_grad)


def test_a_loss_that_is_not_finite_leaves_the_adapter_as_it_was(base: Path, tmp_path: Path) -> None:
    from dqa.taste.heavy.distillation import distil

    loaded, model = adapted(base)
    before = {name: p.clone() for name, p in model.named_parameters() if p.requires_grad}
    config = tiny.quick(base, distillation_steps=4, learning_rate=1e30, max_grad_norm=1e30)
    assert not distil(loaded, model, lessons(choices(20), 16, 0), config, lambda _: None, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    assert all((p == before[name]).all() for name, p in model.named_parameters() if p.requires_grad)

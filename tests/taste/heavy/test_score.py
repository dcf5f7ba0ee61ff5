"""The implicit reward: the plain formula, whatever the batch; and TRL's own loss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from dqa.taste.heavy.score import calibrated_loss, encode, fitted_temperature, implicit_rewards, log_likelihoods
from tests.taste.heavy import tiny
from tests.taste.heavy.conftest import Trained

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

TEXTS = [(e.prompt, r) for e in tiny.examples(5, seed=3) for r in (e.chosen, e.rejected + " dark")]


@pytest.fixture(scope="module")
def adapted(base: Path, trained: Trained) -> tuple[Any, Any]:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(str(base))
    tokenizer.pad_token = tokenizer.eos_token
    model: Any = AutoModelForCausalLM.from_pretrained(str(base), use_safetensors=True)
    return PeftModel.from_pretrained(model, str(trained.candidate)), tokenizer


def plainly(model: Any, tokenizer: Any, prompt: str, response: str) -> float:
    """log pi(response | prompt), one sequence, full logits, token by token."""
    start = len(tokenizer(prompt)["input_ids"])
    ids = tokenizer(prompt + response)["input_ids"] + [tokenizer.eos_token_id]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0].double()
    return sum(float(torch.log_softmax(logits[t - 1], 0)[ids[t]]) for t in range(start, len(ids)))


def test_it_is_the_formula(adapted: tuple[Any, Any]) -> None:
    model, tokenizer = adapted
    found = implicit_rewards(model, tokenizer, TEXTS, beta=0.1)
    for (prompt, response), reward in zip(TEXTS, found, strict=True):
        with_adapter = plainly(model, tokenizer, prompt, response)
        with model.disable_adapter():
            without = plainly(model, tokenizer, prompt, response)
        assert reward == pytest.approx(0.1 * (with_adapter - without), abs=2e-5)
    assert max(map(abs, found)) > 1e-3, "an adapter that changes nothing proves nothing"


@pytest.mark.parametrize("batch", [1, 2, 3, 10])
def test_the_batch_changes_nothing(adapted: tuple[Any, Any], batch: int) -> None:
    model, tokenizer = adapted
    alone = log_likelihoods(model, tokenizer, TEXTS, batch=1)
    assert log_likelihoods(model, tokenizer, TEXTS, batch=batch) == pytest.approx(alone, abs=1e-4)


def test_the_reference_is_the_base_model(adapted: tuple[Any, Any], base: Path) -> None:
    from transformers import AutoModelForCausalLM

    model, tokenizer = adapted
    untouched: Any = AutoModelForCausalLM.from_pretrained(str(base), use_safetensors=True)
    with model.disable_adapter():
        without = log_likelihoods(model, tokenizer, TEXTS)
    assert without == pytest.approx(log_likelihoods(untouched, tokenizer, TEXTS), abs=1e-5)


def test_its_margins_are_those_that_trl_trained_on(adapted: tuple[Any, Any], trained: Trained) -> None:
    held_out = trained.request.held_out
    texts = [(e.prompt, response) for e in held_out for response in (e.chosen, e.rejected)]
    rewards = torch.tensor(implicit_rewards(*adapted, texts, trained.request.config.beta))
    loss = torch.nn.functional.softplus(rewards[1::2] - rewards[::2]).mean()
    assert trained.finished.best_loss == pytest.approx(float(loss), abs=1e-5)


def test_the_response_begins_after_the_prompt_and_ends_with_the_end(adapted: tuple[Any, Any]) -> None:
    _, tokenizer = adapted
    encoded = encode(tokenizer, *TEXTS[0])
    assert tokenizer.decode(encoded.ids[: encoded.start]) == TEXTS[0][0]
    assert tokenizer.decode(encoded.ids[encoded.start :]) == TEXTS[0][1] + tokenizer.eos_token


def preferences(noise: float) -> list[float]:
    """Margins of 200 pairs, of which less noise gets more right."""
    import numpy as np

    rng = np.random.default_rng(1)
    return (rng.normal(size=200) * noise + np.abs(rng.normal(size=200))).tolist()


def test_a_loss_of_nothing_known_is_log_two() -> None:
    assert calibrated_loss([0.0, 0.0]) == pytest.approx(math.log(2))


def test_a_loss_is_of_pairs_that_its_temperature_was_not_fitted_to() -> None:
    margins = [4 * m for m in preferences(1.0)[:12]]
    found = 0.0
    for i, margin in enumerate(margins):
        temperature = max(1.0, fitted_temperature(margins[:i] + margins[i + 1 :]))
        found += math.log1p(math.exp(-margin / temperature)) / len(margins)
    assert calibrated_loss(margins) == pytest.approx(found)


def test_being_too_sure_of_a_good_order_costs_nothing() -> None:
    good, fair = ([8 * m for m in preferences(noise)] for noise in (0.5, 1.0))
    assert calibrated_loss(good) < calibrated_loss(fair) < math.log(2)
    assert calibrated_loss([2 * m for m in fair]) == pytest.approx(calibrated_loss(fair), abs=0.01)


def test_an_order_that_is_wrong_is_worse_than_guessing() -> None:
    assert calibrated_loss([-m for m in preferences(1.0)]) > math.log(2)


def test_the_temperature_undoes_a_scale() -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    margins = rng.normal(size=4_000)
    won = rng.random(4_000) < 1 / (1 + np.exp(-margins))
    told = np.where(won, margins, -margins)
    assert fitted_temperature((8 * told).tolist()) == pytest.approx(8, rel=0.2)
    assert fitted_temperature((0.25 * told).tolist()) == pytest.approx(0.25, rel=0.2)

"""Implicit reward: how much likelier an adapter makes a clip's evidence than the base model does.

``r(x, y) = beta (log pi_adapter(y|x) - log pi_base(y|x))``, summed over the tokens of the response and its end token
(Rafailov et al. 2023, arXiv:2305.18290, equation 5 without the term that depends on the prompt alone). The reference is
the same model with the adapter disabled, as in training: with another one the rewards would mean something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dqa.taste.bradley_terry import Array

_TEMPERATURES = 0.05 * 400 ** (np.arange(201) / 200)
"""From 0.05 to 20, three per cent apart; the middle one is 1."""

Text = tuple[str, str]
"""A prompt and a response."""

_BATCH = 4
"""Sequences at once. Their logits over the whole vocabulary are what takes memory."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of prompt and response together; the response begins at ``start``."""

    ids: list[int]
    start: int

    @property
    def first(self) -> int:
        """The first token of the response that has one before it, on which its probability depends."""
        return max(1, self.start)


def encode(tokenizer: Any, prompt: str, response: str) -> Encoded:
    """Tokens as TRL's DPOTrainer makes them: the response starts where prompt and whole part, and ends with EOS."""
    alone: list[int] = tokenizer(prompt)["input_ids"]
    whole: list[int] = tokenizer(prompt + response + tokenizer.eos_token)["input_ids"]
    start = next((i for i, (a, b) in enumerate(zip(alone, whole, strict=False)) if a != b), min(len(alone), len(whole)))
    return Encoded(whole, start)


def log_likelihoods(model: Any, tokenizer: Any, texts: Sequence[Text], batch: int = _BATCH) -> list[float]:
    """Log-probability of each response given its prompt, in nats; the model as it is now, adapter and all."""
    import torch

    encoded = [encode(tokenizer, prompt, response) for prompt, response in texts]
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i].ids))  # alike lengths together: less padding
    found = [0.0] * len(encoded)
    training = model.training
    model.train(False)
    with torch.inference_mode():
        for at in range(0, len(order), batch):
            part = order[at : at + batch]
            for i, value in zip(part, _of_batch(model, tokenizer, [encoded[i] for i in part]), strict=True):
                found[i] = value
    model.train(training)
    return found


def response_log_probabilities(model: Any, tokenizer: Any, part: Sequence[Encoded]) -> Iterator[Any]:
    """Of every token that could stand at each place of a response, given those before it, in nats.

    One tensor for each of ``part``, places (from :attr:`Encoded.first`) x vocabulary; all from one forward pass.
    """
    import torch

    longest = max(len(e.ids) for e in part)
    ids = torch.full((len(part), longest), int(tokenizer.pad_token_id), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, e in enumerate(part):
        ids[row, : len(e.ids)] = torch.tensor(e.ids)
        mask[row, : len(e.ids)] = 1
    device = next(model.parameters()).device
    logits = model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False).logits
    for row, e in enumerate(part):  # the logits at t speak of the token at t + 1
        yield torch.log_softmax(logits[row, e.first - 1 : len(e.ids) - 1].float(), dim=-1)


def implicit_rewards(
    model: Any, tokenizer: Any, texts: Sequence[Text], beta: float, batch: int = _BATCH
) -> list[float]:
    """The implicit reward of each text, in nats.

    Args:
        model: a PEFT model whose active adapter is the one to ask.
        tokenizer: the base model's.
        texts: prompts and responses.
        beta: of the training.
        batch: sequences at once; changes nothing but time and memory.
    """
    with_adapter = log_likelihoods(model, tokenizer, texts, batch)
    with model.disable_adapter():
        without = log_likelihoods(model, tokenizer, texts, batch)
    return [beta * (a - b) for a, b in zip(with_adapter, without, strict=True)]


def fitted_temperature(margins: Sequence[float]) -> float:
    """The T in [0.05, 20] for which ``sigmoid(margin / T)`` fits held-out pairs best; above 1: too sure of itself."""
    return float(_TEMPERATURES[_losses(margins).sum(axis=1).argmin()])


def calibrated_loss(margins: Sequence[float]) -> float:
    """DPO's loss, ``-log sigmoid(margin / T)``, of each pair at the T that fits the others best: the mean, in nats.

    What an adapter's order of clips is worth where it is too sure of it: whoever uses the reward fits a scale of their
    own. T is 1 at least. Log 2 when nothing is known.
    """
    losses = _losses(margins)[_TEMPERATURES >= 1]
    others = losses.sum(axis=1, keepdims=True) - losses
    return float(losses[others.argmin(axis=0), range(len(margins))].mean())


def _losses(margins: Sequence[float]) -> Array:
    """Of each pair at each temperature, nats: temperatures x pairs."""
    return np.logaddexp(0.0, -np.asarray(margins, float)[None, :] / _TEMPERATURES[:, None])


def _of_batch(model: Any, tokenizer: Any, part: Sequence[Encoded]) -> list[float]:
    """One row's distribution at a time: over the whole vocabulary in fp32 they are large."""
    import torch

    found = list[float]()
    for e, row in zip(part, response_log_probabilities(model, tokenizer, part), strict=True):
        wanted = torch.tensor(e.ids[e.first :], device=row.device)
        found.append(float(row.gather(1, wanted[:, None]).double().sum()))
    return found

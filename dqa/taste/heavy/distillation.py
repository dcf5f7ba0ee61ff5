"""Teaches an adapter what the light tier knows, token by token, before it learns from choices.

DPO sees of an adapter the difference of the implicit rewards ``beta log(pi / pi_base)`` of two responses to one prompt
(Rafailov et al. 2023, arXiv:2305.18290, equation 7). The teacher's reward is a sum over scores, so that its share of
each digit is known, and what is asked of the adapter has three parts:

* shape: where a digit stands, the implicit rewards of all ten are the teacher's and some number that they share;
* total: the implicit reward of a whole clip is the teacher's and one number that all clips share;
* plain: tokens that are no digit keep their probability, which matters little.

A labelled pair tells one bit; a clip tells what each digit of each of its scores is worth. Shape alone does not do:
probabilities sum to 1, so that what ten digits share is their ``-beta log Z``, which depends on the digits before, and
summed over a clip is noise of half the size of what users prefer by. The total asks the adapter to even that out.
(Fisch et al. 2024, arXiv:2405.19316, distil reward models into preference-tuned ones by the totals alone.) Figures are
in docs/measurements.md.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from dqa.taste.heavy.base import Base
from dqa.taste.heavy.checkpoints import write_atomically
from dqa.taste.heavy.config import Progress, TrainingConfig, learning_rate_for
from dqa.taste.heavy.score import Encoded, encode, response_log_probabilities
from dqa.taste.heavy.teacher import Asked, Lesson
from dqa.taste.heavy.train import Tell

LESSONS = 4
"""Clips a step."""

_RATE = 2.0
"""Of the rate at which choices are learned: what is asked is free of noise."""

_TOTAL = (0.3, 0.7)
"""Between these shares of the steps whole clips come to count: before, their error drowns what digits teach."""

_PLAIN = 0.1
"""Of the error of tokens that are no digit."""

KEPT_EVERY = 10
"""Steps between two states that a killed process leaves behind."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Loss:
    """In nats squared; the head of this module says what each is.

    Attributes:
        shape: of the digits, the mean over the clips.
        total: of whole clips.
        plain: of all that is no digit, the mean over the clips.
    """

    shape: torch.Tensor
    total: torch.Tensor
    plain: torch.Tensor

    def weighted(self, done: float) -> torch.Tensor:
        """What a step makes less, at a share of the way."""
        begin, end = _TOTAL
        return self.shape + min(1.0, max(0.0, (done - begin) / (end - begin))) * self.total + _PLAIN * self.plain

    @property
    def whole(self) -> float:
        """What it comes to in the end, for people to watch."""
        return float(self.weighted(1.0).detach())


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a digit stands among the tokens, the tokens of all ten, and what the teacher gives them."""

    at: int
    tokens: list[int]
    rewards: tuple[float, ...]


def distil(base: Base, model: Any, lessons: Iterable[Lesson], config: TrainingConfig, tell: Tell, kept: Path) -> bool:
    """Trains the adapter in place; False where it could not, and then the adapter is as it was.

    That is where the tokenizer gives digits no token of their own, or the loss is not finite.

    Args:
        base: model and tokenizer.
        model: the base with the adapter, as a PEFT model; the adapter in fp32.
        lessons: :data:`LESSONS` for each of the recipe's ``distillation_steps``.
        config: the recipe.
        tell: hears of every step.
        kept: the file with the state so far, which a killed process leaves for the next; whole when this returns True,
            gone when it returns False.
    """
    adapter = [p for p in model.parameters() if p.requires_grad]
    before = [p.detach().clone() for p in adapter]
    rate, steps = config.learning_rate or learning_rate_for(base.parameters), config.distillation_steps
    optimiser = torch.optim.AdamW(adapter, lr=rate, weight_decay=0.0)
    done = _resumed(kept, adapter, optimiser)
    model.train()  # where activations are to be computed anew instead of kept, they are so in training only
    for step, part in enumerate(_batches(lessons), start=1):
        if step <= done:
            continue
        for group in optimiser.param_groups:
            group["lr"] = _RATE * rate * min(1.0, step / max(1.0, config.warmup * steps)) * (1 - (step - 1) / steps)
        loss = _loss(base, model, part, config.beta)
        if loss is None or not math.isfinite(loss.whole):
            log.warning("the light tier's taste is left out: %s", _WHY[loss is None])
            _put(adapter, before)
            kept.unlink(missing_ok=True)
            return False
        loss.weighted(step / steps).backward()  # pyright: ignore[reportUnknownMemberType]
        torch.nn.utils.clip_grad_norm_(adapter, config.max_grad_norm)
        optimiser.step()
        optimiser.zero_grad()
        if step % KEPT_EVERY == 0 or step == steps:
            _keep(kept, step, adapter, optimiser)
        tell(Progress(stage="distilling", step=step, of=steps, loss=loss.whole))
    return True


_WHY = {True: "this tokenizer has no token for each digit", False: "its loss is not finite"}

_STATE = ("step", "exp_avg", "exp_avg_sq")
"""What Adam keeps of each weight."""


def _keep(kept: Path, step: int, weights: list[torch.Tensor], optimiser: torch.optim.Optimizer) -> None:
    tensors = {"done": torch.tensor(step)}
    for i, weight in enumerate(weights):
        tensors[f"{i}.weight"] = weight.detach()
        tensors |= {f"{i}.{name}": optimiser.state[weight][name] for name in _STATE}
    write_atomically(kept, save({name: t.to("cpu", copy=True).contiguous() for name, t in tensors.items()}))


def _resumed(kept: Path, weights: list[torch.Tensor], optimiser: torch.optim.Optimizer) -> int:
    """How many steps an earlier process did, whose state is put in place; 0 where it left none that fits."""
    try:
        found = load_file(str(kept))
        states = [{name: found[f"{i}.{name}"] for name in _STATE} for i in range(len(weights))]
        _put(weights, [found[f"{i}.weight"] for i in range(len(weights))])
    except (OSError, SafetensorError, KeyError, RuntimeError):
        return 0
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": dict(enumerate(states)), "param_groups": groups})
    return int(found["done"])


def _put(weights: Sequence[torch.Tensor], values: Sequence[torch.Tensor]) -> None:
    with torch.no_grad():
        for weight, value in zip(weights, values, strict=True):
            weight.copy_(value)


def _batches(lessons: Iterable[Lesson]) -> Iterator[list[Lesson]]:
    left = iter(lessons)
    while part := list(itertools.islice(left, LESSONS)):
        yield part


def _loss(base: Base, model: Any, part: list[Lesson], beta: float) -> _Loss | None:
    """What some lessons say of the adapter; None where no digit can be asked for."""
    tokenizer = base.tokenizer
    encoded = [encode(tokenizer, lesson.prompt, lesson.response) for lesson in part]
    targets = [
        [found for asked in lesson.asked if (found := _target(tokenizer, lesson, asked, e))]
        for lesson, e in zip(part, encoded, strict=True)
    ]
    if not any(targets):
        return None
    device, bf16 = next(model.parameters()).device, bool(base.identity["bf16"])
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
        with torch.no_grad(), model.disable_adapter():
            references = list(response_log_probabilities(model, tokenizer, encoded))
        given = list(response_log_probabilities(model, tokenizer, encoded))
    shapes, totals, plains = list[torch.Tensor](), list[torch.Tensor](), list[torch.Tensor]()
    for i, lesson in enumerate(part):
        rewards = beta * (given[i] - references[i])
        seen = torch.tensor(encoded[i].ids[encoded[i].first :], device=device)
        of_tokens = rewards.gather(1, seen[:, None])[:, 0]
        digits = torch.tensor([t.at - encoded[i].first for t in targets[i]], dtype=torch.long, device=device)
        shapes.append(_shape(rewards[digits], targets[i]))
        totals.append(of_tokens.sum() - lesson.reward)
        plains.append(of_tokens.square().sum() - of_tokens[digits].square().sum())
    total = torch.stack(totals).var() if len(part) > 1 else given[0].new_zeros(())
    return _Loss(torch.stack(shapes).mean(), total, torch.stack(plains).mean())


def _shape(rewards: torch.Tensor, targets: list[_Target]) -> torch.Tensor:
    """How far the ten digits are from what the teacher gives them but for what they have in common; d x vocabulary."""
    if not targets:
        return rewards.new_zeros(())
    tokens = torch.tensor([t.tokens for t in targets], device=rewards.device)
    wanted = torch.tensor([t.rewards for t in targets], device=rewards.device)
    return (rewards.gather(1, tokens) - wanted).var(dim=1, correction=0).sum()


def _target(tokenizer: Any, lesson: Lesson, asked: Asked, encoded: Encoded) -> _Target | None:
    """The one token that tells the ten texts apart; None where that is not one."""
    others = [encode(tokenizer, lesson.prompt, text).ids for text in asked.texts]
    if any(len(ids) != len(encoded.ids) for ids in others):
        return None
    differ = {i for ids in others for i, (a, b) in enumerate(zip(ids, encoded.ids, strict=True)) if a != b}
    if len(differ) != 1:
        return None
    (at,) = differ
    return _Target(at, [ids[at] for ids in others], asked.rewards) if at >= encoded.first else None

"""Teaches an adapter what the light tier knows, token by token, before it learns from choices.

DPO's optimum for a reward r is ``pi(y) = pi_base(y) exp(r(y) / beta) / Z`` (Rafailov et al. 2023, arXiv:2305.18290,
equation 4). The teacher's reward is a sum over scores, so that its share of one digit is known, and the optimum can be
asked for where that digit stands: ``beta log(pi / pi_base) = r(digit) - beta log Z`` for all ten digits at once. The
loss is the squared error of that, the mean over the digits and the sum over the scores, and everywhere else of the
implicit reward itself, which is to stay 0. A labelled pair tells one bit; a made-up clip tells what each digit of each
of its scores is worth. (Fisch et al. 2024, arXiv:2405.19316, distil reward models into preference-tuned ones by whole
responses.) Figures are in docs/measurements.md.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from dqa.taste.heavy.base import Base
from dqa.taste.heavy.checkpoints import write_atomically
from dqa.taste.heavy.config import Progress, TrainingConfig, learning_rate_for
from dqa.taste.heavy.score import Encoded, encode
from dqa.taste.heavy.teacher import Asked, Lesson
from dqa.taste.heavy.train import Tell

LESSONS = 4
"""Made-up clips a step."""

KEPT_EVERY = 10
"""Steps between two states that a killed process leaves behind."""

log = logging.getLogger(__name__)


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
        model: the base with the adapter, as a PEFT model.
        lessons: :data:`LESSONS` for each of the recipe's ``distillation_steps``.
        config: the recipe.
        tell: hears of every step.
        kept: the file with the state so far, which a killed process leaves for the next; whole when this returns True,
            gone when it returns False.
    """
    weights = [p for p in model.parameters() if p.requires_grad]
    before = [p.detach().clone() for p in weights]
    rate, steps = config.learning_rate or learning_rate_for(base.parameters), config.distillation_steps
    optimiser = torch.optim.AdamW(weights, lr=rate, weight_decay=0.0)
    done = _resumed(kept, weights, optimiser)
    for step, part in enumerate(_batches(lessons), start=1):
        if step <= done:
            continue
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, step / max(1.0, config.warmup * steps)) * (1 - (step - 1) / steps)
        loss = _step(base, model, part, config.beta)
        if loss is None or not math.isfinite(loss):
            log.warning("the light tier's taste is left out: %s", _WHY[loss is None])
            _put(weights, before)
            kept.unlink(missing_ok=True)
            return False
        torch.nn.utils.clip_grad_norm_(weights, config.max_grad_norm)
        optimiser.step()
        optimiser.zero_grad()
        if step % KEPT_EVERY == 0 or step == steps:
            _keep(kept, step, weights, optimiser)
        tell(Progress(stage="distilling", step=step, of=steps, loss=loss))
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


def _put(weights: list[torch.Tensor], values: list[torch.Tensor]) -> None:
    with torch.no_grad():
        for weight, value in zip(weights, values, strict=True):
            weight.copy_(value)


def _batches(lessons: Iterable[Lesson]) -> Iterator[list[Lesson]]:
    left = iter(lessons)
    while part := list(itertools.islice(left, LESSONS)):
        yield part


def _step(base: Base, model: Any, part: list[Lesson], beta: float) -> float | None:
    """The mean loss of some lessons, its gradients added; None where none has a target."""
    told, total = 0, 0.0
    tokenizer, bf16 = base.tokenizer, bool(base.identity["bf16"])
    for lesson in part:
        encoded = encode(tokenizer, lesson.prompt, lesson.response)
        targets = [found for asked in lesson.asked if (found := _target(tokenizer, lesson, asked, encoded))]
        with torch.autocast(next(model.parameters()).device.type, dtype=torch.bfloat16, enabled=bf16):
            loss = _loss(model, encoded, targets, beta) / len(part)
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        told, total = told + len(targets), total + float(loss.detach())
    return total if told else None


def _target(tokenizer: Any, lesson: Lesson, asked: Asked, encoded: Encoded) -> _Target | None:
    """The one token that tells the ten texts apart; None where that is not one."""
    others = [encode(tokenizer, lesson.prompt, text).ids for text in asked.texts]
    if any(len(ids) != len(encoded.ids) for ids in others):
        return None
    differ = {i for ids in others for i, (a, b) in enumerate(zip(ids, encoded.ids, strict=True)) if a != b}
    if len(differ) != 1:
        return None
    (at,) = differ
    return _Target(at, [ids[at] for ids in others], asked.rewards) if at >= max(1, encoded.start) else None


def _loss(model: Any, encoded: Encoded, targets: list[_Target], beta: float) -> torch.Tensor:
    """The squared error of the implicit rewards of every token of the response, in nats squared."""
    with torch.no_grad(), model.disable_adapter():
        reference = _log_probabilities(model, encoded)
    now, first = _log_probabilities(model, encoded), max(1, encoded.start)
    loss = now.new_zeros(())
    if targets:
        rows = torch.tensor([t.at - first for t in targets], device=now.device)
        tokens = torch.tensor([t.tokens for t in targets], device=now.device)
        rewards = torch.tensor([t.rewards for t in targets], device=now.device)
        tilted = reference[rows].scatter_add(1, tokens, rewards / beta)
        wanted = rewards - beta * torch.logsumexp(tilted, dim=1, keepdim=True)
        given = beta * (now[rows] - reference[rows]).gather(1, tokens)
        loss = loss + (given - wanted).square().mean(dim=1).sum()
    digits = {t.at for t in targets}
    plain = torch.tensor([i - first for i in range(first, len(encoded.ids)) if i not in digits], device=now.device)
    seen = torch.tensor(encoded.ids, device=now.device)[plain + first]
    return loss + (beta * (now[plain] - reference[plain]).gather(1, seen[:, None])).square().sum()


def _log_probabilities(model: Any, encoded: Encoded) -> torch.Tensor:
    """Of each token of the response given those before it: responses x vocabulary."""
    ids = torch.tensor([encoded.ids], device=next(model.parameters()).device)
    logits = model(input_ids=ids, use_cache=False).logits[0]
    return torch.log_softmax(logits[max(1, encoded.start) - 1 : -1].float(), dim=-1)

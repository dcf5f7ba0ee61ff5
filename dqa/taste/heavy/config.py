"""How an adapter is trained: the mission's settings, and those that were measured."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from dqa.models.fingerprints import Known

SMALL_RATE, LARGE_RATE = 1e-3, 5e-5
SMALL, LARGE = 5e8, 6e9
"""Parameters up to which a model is small, and from which it is large."""

CANDIDATE = "candidate"
"""Folder in the scratch with the best adapter, once a training is over."""

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
FEED_FORWARD = ("gate_proj", "up_proj", "down_proj")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class TrainingConfig(_Strict):
    """One recipe. Mission 1.6 unless said otherwise.

    Attributes:
        base: folder of the base model, or its id on the hub (then it must be in the local cache): safetensors only.
        revision: of a hub id: a commit, so that the base can't change under its adapters.
        rank, alpha, dropout: of LoRA.
        feed_forward: adapt gate, up and down projections too, not only q, k, v, o.
        beta: of DPO.
        learning_rate: default by the size of the model, see :func:`learning_rate_for`.
        batch, accumulation: pairs a step = batch x accumulation.
        distillation_steps: first, in which the adapter learns what the light tier knows of the training pairs
            (:mod:`dqa.taste.heavy.distillation`); 0 for none.
        epochs, min_steps, max_steps: passes over the pairs, but no fewer than ``min_steps``: fewer were measured to
            leave a small model at chance.
        warmup: share of the steps over which the rate rises.
        evaluations: how often the held-out loss is taken.
        patience: evaluations without a gain after which training stops.
        spike: a held-out loss this many times the best stops it too.
        max_grad_norm: gradients are clipped to it.
        precision: ``auto`` is bf16 where the device computes in it, else fp32.
        quantise: ``auto`` is 4-bit NF4 with double quantisation where CUDA and bitsandbytes are, else none.
        accelerator: ``auto`` takes Unsloth where there is a GPU and the package; it may fail and is then left out.
        seed: of everything random.
    """

    base: Annotated[str, Field(min_length=1)]
    revision: str | None = None
    rank: int = Field(16, ge=1, le=256)
    alpha: int = Field(16, ge=1, le=512)
    dropout: float = Field(0.0, ge=0, lt=1)
    feed_forward: bool = False
    beta: float = Field(0.1, gt=0, le=10)
    learning_rate: float | None = Field(None, gt=0)
    batch: int = Field(2, ge=1, le=64)
    accumulation: int = Field(4, ge=1, le=64)
    distillation_steps: int = Field(120, ge=0, le=1000)
    epochs: float = Field(2.0, gt=0, le=100)
    min_steps: int = Field(40, ge=1, le=1000)
    max_steps: int = Field(1000, ge=1, le=1000)
    warmup: float = Field(0.1, ge=0, lt=1)
    evaluations: int = Field(8, ge=1, le=100)
    patience: int = Field(3, ge=1)
    spike: float = Field(1.5, gt=1)
    max_grad_norm: float = Field(1.0, gt=0)
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    quantise: Literal["auto", "nf4", "none"] = "auto"
    accelerator: Literal["auto", "unsloth", "none"] = "auto"
    seed: int = Field(0, ge=0, le=2**32 - 1)

    @property
    def targets(self) -> tuple[str, ...]:
        """The modules that get an adapter."""
        return (*ATTENTION, *FEED_FORWARD) if self.feed_forward else ATTENTION

    def steps(self, pairs: int) -> int:
        """Optimiser steps for so many training pairs (each counted with its weight)."""
        once = math.ceil(pairs / (self.batch * self.accumulation))
        return min(self.max_steps, max(self.min_steps, math.ceil(self.epochs * once)))

    def every(self, steps: int) -> int:
        """Steps between two evaluations."""
        return max(1, steps // self.evaluations)


def recipe(base: str, revision: str | None = None, **changes: JsonValue) -> TrainingConfig:
    """The recipe for a base model, with every default but the ``changes``."""
    return TrainingConfig.model_validate({"base": base, "revision": revision, **changes})


def learning_rate_for(parameters: int) -> float:
    """The rate for a model of that many parameters.

    The mission's 5e-5 is for 7B models; SmolLM2-135M learned best at 1e-3 and hardly at 3e-4
    (docs/design/taste-heavy.md). Between, the logarithm of the rate falls with that of the size.

    >>> learning_rate_for(135_000_000), learning_rate_for(7_600_000_000)
    (0.001, 5e-05)
    """
    if parameters <= SMALL:
        return SMALL_RATE
    if parameters >= LARGE:
        return LARGE_RATE
    share = math.log(parameters / SMALL) / math.log(LARGE / SMALL)
    return SMALL_RATE * (LARGE_RATE / SMALL_RATE) ** share


class Example(_Strict):
    """One pair as texts; ``seen``: the serving adapter was trained on one of its clips."""

    prompt: str
    chosen: str
    rejected: str
    weight: int = Field(1, ge=1, le=3)
    seen: bool = False


class Sample(_Strict):
    """A clip to score, by the id of its evaluation."""

    id: str
    prompt: str
    response: str


class TrainingRequest(_Strict):
    """All that the training process is told, as one line of JSON on its stdin.

    Attributes:
        scratch: private folder for checkpoints and the result; made if missing, gone on with if not empty.
        serving: folder of the adapter that serves now, which the new one must beat; None for the first.
        warm_start: begin at the serving adapter's weights instead of at none.
        train, held_out: the pairs.
        samples: clips to score with the new adapter at the end.
        known: the base's fingerprint, so that it need not be taken again.
        parent: process id of whoever started it; it ends when that one does.
    """

    config: TrainingConfig
    scratch: str
    serving: str | None = None
    warm_start: bool = False
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    samples: tuple[Sample, ...] = ()
    known: Known | None = None
    parent: int


class Progress(_Strict):
    """A line of the training process: how far it is."""

    event: Literal["progress"] = "progress"
    stage: Literal["loading", "distilling", "training", "scoring"]
    step: int = 0
    of: int = 0
    loss: float | None = None
    eval_loss: float | None = None


class Finished(_Strict):
    """Its last line when it went well.

    Attributes:
        steps: how far it came.
        best_step, best_loss: where the held-out loss was least; None when it never was finite.
        loss: the held-out loss of the best adapter, less sure of itself where it is too sure, see
            :func:`dqa.taste.heavy.score.calibrated_loss`.
        compared: the same of the new adapter and of the serving one on the same pairs, and how many; None without a
            serving adapter.
        accuracy, temperature: on the held-out pairs; the temperature divides the margin so that its probabilities fit.
        stopped: why it ended before its last step; None when it did not.
        base: what it was trained on: ``id``, ``revision``, ``sha256``, parameters, and how it was loaded.
    """

    event: Literal["finished"] = "finished"
    steps: int
    best_step: int | None
    best_loss: float | None
    loss: float | None
    compared: tuple[float, float, int] | None = None
    accuracy: float | None = None
    temperature: float | None = None
    stopped: str | None = None
    base: dict[str, str | int | float | bool | None] = Field(
        default_factory=dict[str, "str | int | float | bool | None"]
    )
    rewards: dict[str, float] = Field(default_factory=dict[str, float])


class Failed(_Strict):
    """Its last line when it could not go on: one sentence, and how to mend it."""

    event: Literal["failed"] = "failed"
    what: str
    fix: str

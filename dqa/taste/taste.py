"""A fitted taste as it is kept: plain numbers and words, no code."""

from __future__ import annotations

import math

import numpy as np
from pydantic import BaseModel, ConfigDict

from dqa.record import ChannelName
from dqa.taste.bradley_terry import Posterior
from dqa.taste.features import FEATURES_VERSION, NAMES, Vector, centred
from dqa.taste.history import NO_HISTORY, History
from dqa.taste.style import NO_STYLE, Style


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class HeldOut(_Part):
    """How well choices were predicted that the model had not seen.

    Attributes:
        pairs: how many decided choices were predicted.
        accuracy: share predicted right.
        brier: mean squared error of the probabilities; 0.25 is guessing.
        loss: mean log loss in nats; ``log 2`` is guessing.
        ece: expected calibration error, 10 bins.
        abstained: share of the pairs on which the model would have abstained.
    """

    pairs: int
    accuracy: float
    brier: float
    loss: float
    ece: float
    abstained: float


class CurvePoint(_Part):
    """The learning curve: ``pairs`` choices made around the ``choices``-th, each predicted before it was seen."""

    choices: int
    pairs: int
    accuracy: float
    brier: float


class Position(_Part):
    """Whether the side decides: how often the clip on the left was chosen, with the 90 % interval of that share."""

    left: int
    of: int
    low: float
    high: float
    biased: bool


class Taste(_Part):
    """A fitted taste.

    Attributes:
        version: number of the training step that made it; 0 is the prior.
        profile: whose scores it was learned from, and may judge.
        features_version, features: what the weights belong to.
        choices: how many choices it has seen.
        effective_choices: their weights' sum, after recency and caps.
        effective_pairs: how many different pairs of clips they are about, after recency and caps; None in a taste that
            was kept before this was counted.
        loss: mean log loss over the choices it was fitted to, in nats; None without any.
        confidence: share of the prior's uncertainty that the choices removed, mean over the pairs seen.
        typical: mean features of the clips the user chose between (None: never judged).
        mean, covariance: the posterior over the weights of ``features``.
        prior_mean, prior_precision: what it started from.
        half_life: after how many further choices a choice counts half; None: never.
        patterns, winning_patterns: what goes with rejection, and with being chosen, in words.
        style, history: what ``features`` read besides the evaluation.
        held_out: accuracy on choices not seen, grouped by prompt; None while there are too few.
        curve: accuracy as the choices came.
        position: whether sides bias the choices; None when no side is known.
        channel_weights: this user's channel weights, where they were shown to be better; None: the mission's.
        adapter: the language-model adapter whose reward is a feature; None without one.
    """

    version: int
    profile: str = "embedded"
    features_version: int = FEATURES_VERSION
    features: tuple[str, ...] = NAMES
    choices: int
    effective_choices: float = 0.0
    effective_pairs: float | None = None
    loss: float | None
    confidence: float
    typical: tuple[float | None, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    prior_mean: tuple[float, ...]
    prior_precision: tuple[float, ...]
    half_life: float | None = None
    patterns: tuple[str, ...] = ()
    winning_patterns: tuple[str, ...] = ()
    style: Style = NO_STYLE
    history: History = NO_HISTORY
    held_out: HeldOut | None = None
    curve: tuple[CurvePoint, ...] = ()
    position: Position | None = None
    channel_weights: dict[ChannelName, float] | None = None
    adapter: str | None = None

    @property
    def usable(self) -> bool:
        """Whether its features are those of this version of DQA."""
        return self.features_version == FEATURES_VERSION and self.features == NAMES

    @property
    def pairs(self) -> float:
        """How many different pairs it knows."""
        return self.effective_choices if self.effective_pairs is None else self.effective_pairs

    def posterior(self) -> Posterior:
        """The posterior behind it."""
        return Posterior(
            np.array(self.mean),
            np.array(self.covariance),
            np.array(self.prior_mean),
            np.array(self.prior_precision),
            choices=self.choices,
            loss=self.loss,
        )

    def offset(self, vector: Vector) -> Vector:
        """How a clip differs from the typical one: shape (d,), 0 where either was not judged."""
        return centred(vector, [np.array([math.nan if x is None else x for x in self.typical])])

"""How well label probabilities fit a prompt, as a z-score against reference prompts.

ConSE (Norouzi 2014) reads a picture as the mix of its labels' sentence vectors; here it is fused with the likelihood of
the labels that a prompt makes one expect. Both depend on the picture as much as on the prompt (a picture with one sure
label fits everything differently from a muddle), so each is told in standard deviations over varied reference prompts
on the same picture. What was compared, and the numbers: docs/design/topic-detector.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqa.models.embedded.labels import LabelBank
from dqa.models.roles import Vectors

Floats = NDArray[np.float32]

_TAU = 0.05
"""Temperature of the labels a prompt makes one expect, in cosine."""

_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a prompt makes one expect to see.

    Attributes:
        similarity: n x 1000, cosine of each prompt to each label's name.
        likelihood: n x 1000, rows that sum to 1: the labels each prompt makes likely.
    """

    similarity: Floats
    likelihood: Floats

    @property
    def spread(self) -> Floats:
        """n perplexities, 1 to 1000: over how many labels the expectation spreads. High: the prompt is about what
        no label comes near."""
        entropy = -(self.likelihood * np.log(self.likelihood + _TINY)).sum(axis=1)
        return np.exp(entropy).astype(np.float32)


def expect(prompts: Vectors, bank: LabelBank) -> Expectation:
    """The expectation of each prompt vector (n x 384)."""
    # Some labels are near to everything; only what a prompt has beyond the average prompt tells about it.
    usual = (bank.reference @ bank.described.T).mean(axis=0)
    logits = (prompts @ bank.described.T - usual) / _TAU
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Expectation(prompts @ bank.named.T, weights / weights.sum(axis=1, keepdims=True))


def fit(probabilities: Floats, prompt: Expectation, reference: Expectation) -> Floats:
    """The z-score of the prompt on each frame.

    Args:
        probabilities: f x 1000 label probabilities.
        prompt: of one prompt.
        reference: of the reference prompts.

    Returns:
        f numbers: 0 fits like the average reference prompt, 1 one standard deviation better.
    """
    logs = np.log(probabilities + _TINY)
    conse = _z(probabilities @ prompt.similarity.T, probabilities @ reference.similarity.T)
    likely = _z(logs @ prompt.likelihood.T, logs @ reference.likelihood.T)
    return ((conse + likely) / 2).astype(np.float32)


def _z(value: Floats, reference: Floats) -> Floats:
    """f x 1 values in standard deviations of their f x r reference values, as f numbers."""
    return (value[:, 0] - reference.mean(axis=1)) / (reference.std(axis=1) + 1e-9)

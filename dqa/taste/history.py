"""Historical success: how clips like this one fared in the choices so far.

Prequential throughout: a clip is only ever compared with the clips of earlier choices, never with its own choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

NEWEST = 200
"""Clips remembered; 100 choices."""

REACH = 0.15
"""How fast likeness fades: a clip at cosine c counts ``exp((c - 1) / REACH)``; 1 for the same clip, 0.001 at 0.

From 0.12 to 0.2 predicts best (``python -m benchmarks.history``)."""

EVEN = 1.0
"""Weight of an even outcome (0.5) that is always there: with nothing near, success is exactly even."""

Rows = NDArray[np.float64]


class Remembered(BaseModel):
    """One clip of an earlier choice.

    Attributes:
        embedding: k values, what the clip shows (``features.EMBEDDING``).
        outcome: 1 chosen, 0.5 tie, 0 rejected.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    embedding: tuple[float, ...]
    outcome: float


class History(BaseModel):
    """The newest clips of the choices so far, oldest first; bounded by :data:`NEWEST`.

    Attributes:
        clips: the clips.
        model: which model their embeddings are of; those of two models are never compared. None: of any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    clips: tuple[Remembered, ...] = ()
    model: str | None = None

    def remember(self, clips: Iterable[tuple[Sequence[float], float]]) -> History:
        """This history and some newer clips, as (embedding, outcome); the oldest make room."""
        new = [Remembered(embedding=tuple(map(float, e)), outcome=outcome) for e, outcome in clips]
        return History(clips=(*self.clips, *new)[-NEWEST:], model=self.model)

    def success(self, embedding: Sequence[float] | Rows | None) -> float | None:
        """Mean outcome of the remembered clips by likeness, in (0, 1); 0.5 when none is like this one.

        Nadaraya-Watson over cosines with one even outcome added. None without an embedding or without a history.
        """
        if embedding is None or not self.clips:
            return None
        rows, outcomes = self._table
        return float(_successes(rows, outcomes, _unit(np.atleast_2d(np.asarray(embedding, np.float64))))[0])

    @cached_property
    def _table(self) -> tuple[Rows, Rows]:
        return _unit(np.array([c.embedding for c in self.clips])), np.array([c.outcome for c in self.clips])


NO_HISTORY = History()


def replay(embeddings: Rows, outcomes: Rows, model: str | None = None) -> tuple[Rows, History]:
    """The success of both clips of each choice by the choices before it, and the history after the last.

    Args:
        embeddings: n x 2 x k, of the clips A and B, oldest choice first; a row with a NaN is not known.
        outcomes: n, 1 when A was chosen, 0 B, 0.5 a tie.
        model: of the embeddings.

    Returns:
        n x 2, NaN where a clip has no embedding or nothing was chosen before; and the history.
    """
    found = np.full(embeddings.shape[:2], np.nan)
    known: NDArray[np.bool_] = np.asarray(np.isfinite(embeddings).all(axis=2))
    units = _unit(np.nan_to_num(embeddings))
    # Every clip in the order it came, so that "before this choice" is a slice.
    flat, sides = known.ravel(), np.stack([outcomes, 1 - outcomes], axis=1).ravel()
    rows, results = units.reshape(-1, units.shape[2])[flat], sides[flat]
    before = np.concatenate(([0], np.cumsum(known.sum(axis=1))))
    for i in range(len(outcomes)):
        past = slice(max(0, before[i] - NEWEST), before[i])
        if known[i].any() and past.stop:
            found[i, known[i]] = _successes(rows[past], results[past], units[i, known[i]])
    newest = embeddings.reshape(-1, embeddings.shape[2])[flat][-NEWEST:]
    pairs = zip(newest.tolist(), results[-NEWEST:].tolist(), strict=True)
    return found, History(model=model).remember(pairs)


def _successes(rows: Rows, outcomes: Rows, clips: Rows) -> Rows:
    weights = np.exp((clips @ rows.T - 1) / REACH)
    return (weights @ outcomes + 0.5 * EVEN) / (weights.sum(axis=1) + EVEN)


def _unit(rows: Rows) -> Rows:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)

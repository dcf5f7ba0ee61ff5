"""How well chances foretell ratings, and how sure that is: each figure with its interval over resampled prompts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dqa.acceptance.content import Figure

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

BINS = 10
RESAMPLES = 1000
_BLOCK = 50
_TAIL = 0.05
_SEED = 20170420


def log_losses(p: Array, y: Array) -> Array:
    """Of each chance p in (0, 1) for an outcome y in [0, 1], in nats."""
    return -(y * np.log(p) + (1 - y) * np.log1p(-p))


def briers(p: Array, y: Array) -> Array:
    """``(p - y)^2``."""
    return (p - y) ** 2


def calibration_errors(p: Array, y: Array, weights: Array) -> Array:
    """Expected calibration error over ten bins of p (Naeini et al. 2015), for each row of ``weights`` (B x n)."""
    at = np.minimum((p * BINS).astype(np.int64), BINS - 1)
    gaps = np.zeros((len(p), BINS))
    gaps[np.arange(len(p)), at] = p - y
    return np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1)


def concordances(scores: Array, y: Array, weights: Array) -> Array:
    """The chance that an accepted clip scores higher than one that is not (AUC), for each row of ``weights``.

    A tie counts a half; NaN where all or none are accepted.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-1.0))
    ordered = weights[:, order]
    good = np.add.reduceat(ordered * y[order], starts, axis=1)
    poor = np.add.reduceat(ordered * (1 - y[order]), starts, axis=1)
    below = np.cumsum(poor, axis=1) - poor
    pairs = good.sum(axis=1) * poor.sum(axis=1)
    wins = (good * (below + poor / 2)).sum(axis=1)
    return np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def resampled(groups: Ints, statistic: Callable[[Array], Array]) -> tuple[float, float]:
    """The 90 % interval of a statistic over groups drawn with replacement; NaN where it has no value in most draws.

    Args:
        groups: n, the prompt group of each clip, 0 to g - 1.
        statistic: of weights, B x n, to B values.
    """
    rng, count = np.random.default_rng(_SEED), int(groups.max()) + 1
    found: list[Array] = []
    for _ in range(RESAMPLES // _BLOCK):
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=_BLOCK).astype(np.float64)
        found.append(statistic(drawn[:, groups]))
    values = np.concatenate(found)
    known = values[np.isfinite(values)]
    if len(known) < len(values) / 2:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [_TAIL, 1 - _TAIL])
    return float(low), float(high)


def compared(p_before: Array, p_after: Array, y: Array, groups: Ints) -> dict[str, Figure]:
    """``log_loss``, ``brier`` and ``ece`` of two sets of chances on the same clips."""
    found: dict[str, Figure] = {}
    for name, each in (("log_loss", log_losses), ("brier", briers)):
        before, after = each(p_before, y), each(p_after, y)
        low, high = _gain(before - after, groups)
        found[name] = Figure(before=float(before.mean()), after=float(after.mean()), low=low, high=high)
    ones = np.ones((1, len(y)))
    low, high = resampled(groups, lambda w: calibration_errors(p_before, y, w) - calibration_errors(p_after, y, w))
    before, after = (float(calibration_errors(p, y, ones)[0]) for p in (p_before, p_after))
    found["ece"] = Figure(before=before, after=after, low=low, high=high)
    return found


def _gain(gains: Array, groups: Ints) -> tuple[float, float]:
    return resampled(groups, lambda w: (w @ gains) / w.sum(axis=1))

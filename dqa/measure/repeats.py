"""Frames that repeat the one before: freezes, held frames, slideshows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqa.measure.signals import Series, Signals

_SAME, _DIFFERENT = 0.25, 0.55
_SAME_SHARE, _DIFFERENT_SHARE = 0.05, 0.12
_SAME_CODED, _DIFFERENT_CODED = 1.0, 2.5
_RUN_S = 0.15


@dataclass(frozen=True, slots=True)
class Repeats:
    """Which pairs show the same picture twice.

    Attributes:
        weights: pairs, 0 (another picture) .. 1 (the same); between the two where compression leaves a doubt.
        count: how many pairs count as repeats (weight over a half).
        share: mean weight over all pairs, 0..1.
        still: share of pairs that stand still, where a lone held frame counts half and a run of 0.15 s or more fully.
        longest: start and end in s of the longest run of repeats; None without one.
    """

    weights: Series
    count: int
    share: float
    still: float
    longest: tuple[float, float] | None

    @property
    def longest_s(self) -> float:
        """Length of the longest run of repeats in s; 0 without one."""
        return self.longest[1] - self.longest[0] if self.longest else 0.0

    @property
    def flags(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Pairs that count as repeats."""
        return self.weights > 0.5


def find_repeats(signals: Signals) -> Repeats:
    """Finds them from the greatest change of any small cell between two frames.

    A static camera on a quiet scene still changes somewhere (the quietest real clip at hand: 0.65 levels of 255 in
    every pair), a held frame nowhere but for coding noise, which is judged against what the clip's other pairs change.
    """
    weights = repeat_weights(signals.block_change)
    if not weights.size:
        return Repeats(weights, 0, 0.0, 0.0, None)
    flags = weights > 0.5
    runs = _runs(flags)
    times = signals.times
    still = np.where(flags, 0.5, 0.0)
    for start, stop in runs:
        if times[stop] - times[start] >= _RUN_S:
            still[start:stop] = 1.0
    longest = max(runs, key=lambda run: times[run[1]] - times[run[0]], default=None)
    return Repeats(
        weights=weights,
        count=int(flags.sum()),
        share=float(weights.mean()),
        still=float((still * weights).mean()),
        longest=(float(times[longest[0]]), float(times[longest[1]])) if longest else None,
    )


def repeat_weights(block_change: Series) -> Series:
    """Per pair how surely it shows the same picture twice, 0..1."""
    if not block_change.size:
        return block_change
    absolute = _fall(block_change, _SAME, _DIFFERENT)
    typical = float(np.percentile(block_change, 75))
    if typical <= 0:
        return absolute
    relative = _fall(block_change / typical, _SAME_SHARE, _DIFFERENT_SHARE)
    return np.maximum(absolute, relative * _fall(block_change, _SAME_CODED, _DIFFERENT_CODED))


def _fall(values: Series, one: float, zero: float) -> Series:
    return np.clip((zero - values) / (zero - one), 0.0, 1.0)


def _runs(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[tuple[int, int]]:
    """Start and stop (exclusive) of each run of True. As frames: the run stands from frame start to frame stop."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]

"""Whether feature vectors, one per moment, belong to one scene: VBench's consistency, jumps, splits, order."""

from __future__ import annotations

import numpy as np

from dqa.measure.signals import Series

Rows = np.ndarray[tuple[int, int], np.dtype[np.float32]]
"""n x d, L2-normalised, in order of time."""


def consistency(rows: Rows) -> float:
    """VBench's subject and background consistency (vbench/subject_consistency.py), 0..1.

    The mean over t >= 1 of (s(t, t-1) + s(t, 0)) / 2 with s = max(0, cosine). 1 for a single row.
    """
    if len(rows) < 2:
        return 1.0
    return float(((adjacent(rows) + np.maximum(0.0, rows[1:] @ rows[0])) / 2).mean())


def adjacent(rows: Rows) -> Series:
    """n - 1, cosine of each row to the one before, cut off at 0."""
    return np.maximum(0.0, np.einsum("ij,ij->i", rows[1:], rows[:-1], dtype=np.float64))


def best_split(rows: Rows) -> tuple[float, int]:
    """How much less the two parts of the clip look alike than each looks like itself, at the split where that is most.

    Returns:
        The gap (0: one scene; the real clips at hand stay under 0.2; half a clip of another scene gives about 0.5)
        and the first row of the second part. (0, 0) for fewer than 6 rows.
    """
    count = len(rows)
    if count < 6:
        return 0.0, 0
    margin = max(2, count // 5)
    splits = range(margin, count - margin + 1)
    gaps = [_gap(rows, split) for split in splits]
    best = int(np.argmax(gaps))
    return max(0.0, gaps[best]), splits[best]


def _gap(rows: Rows, split: int) -> float:
    first, second = rows[:split], rows[split:]
    across = float(first.mean(axis=0) @ second.mean(axis=0))
    return (_within(first) + _within(second)) / 2 - across


def _within(rows: Rows) -> float:
    """Mean cosine over the pairs of different rows."""
    count = len(rows)
    total = rows.sum(axis=0)
    return (float(total @ total) - count) / (count * (count - 1))


def disorder(rows: Rows, lag: int = 4) -> float:
    """Mean distance of neighbours over that of rows ``lag`` apart: under 0.75 in time's order, about 1 when shuffled.

    0 when too short to tell, or when nothing changes.
    """
    if len(rows) < lag + 4:
        return 0.0
    near = 1 - float(adjacent(rows).mean())
    far = 1 - float(np.einsum("ij,ij->i", rows[lag:], rows[:-lag], dtype=np.float64).mean())
    return near / (far + 1e-3)

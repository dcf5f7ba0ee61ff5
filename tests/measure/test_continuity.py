"""Continuity: VBench's consistency against a plain loop; splits and order on made-up scenes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.measure.continuity import best_split, consistency, disorder


def walk(count: int, seed: int = 0, step: float = 0.1) -> np.ndarray:
    """Unit vectors that drift slowly: one scene."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=64) + step * np.cumsum(rng.normal(size=(count, 64)), axis=0)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(2, 30), st.integers(0, 1000))
def test_consistency_is_vbench_s_formula(count: int, seed: int) -> None:
    rows, total = walk(count, seed, step=1.0), 0.0
    for t in range(1, count):
        total += (max(0.0, float(rows[t] @ rows[t - 1])) + max(0.0, float(rows[t] @ rows[0]))) / 2
    assert consistency(rows) == pytest.approx(total / (count - 1), abs=1e-5)


def test_a_still_is_perfectly_consistent_which_is_why_the_score_is_gated() -> None:
    assert consistency(np.repeat(walk(1), 9, axis=0)) == pytest.approx(1.0)
    assert consistency(walk(1)) == 1.0


def test_the_split_is_found_where_the_scene_changes() -> None:
    one, two = walk(12), walk(8, seed=5)
    gap, at = best_split(np.concatenate([one, two]))
    assert at == 12
    assert gap > 0.5
    assert best_split(walk(20))[0] < 0.2
    assert best_split(walk(5)) == (0.0, 0)


def test_order_is_told_from_shuffle() -> None:
    rows = walk(24)
    shuffled = rows[np.random.default_rng(1).permutation(24)]
    assert disorder(rows) < 0.6 < 0.85 < disorder(shuffled)
    assert disorder(walk(7)) == 0.0
    assert disorder(np.repeat(walk(1), 20, axis=0)) == pytest.approx(0.0, abs=1e-3)

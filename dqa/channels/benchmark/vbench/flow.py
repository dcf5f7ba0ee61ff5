"""What VBench makes of a flow field."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def top_magnitude(flow: NDArray[np.float32]) -> float:
    """Mean of the largest 5 % of the displacements in pixels (vbench/dynamic_degree.py get_score).

    Args:
        flow: 2 x H x W.
    """
    sizes = np.sort(-np.sqrt(np.square(flow[0]) + np.square(flow[1])).ravel())
    return float(np.mean(np.abs(sizes[: int(sizes.size * 0.05)])))

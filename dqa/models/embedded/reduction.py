"""What a clip shows, in 16 numbers: its features along the directions in which the classifier tells things apart.

The directions are the first principal ones of the classifier's own 1000 x 1280 label weights, so that they part what
the classifier parts. On 22 generated clips the likeness of two clips then goes with that of their whole features with
r = 0.71; 100 random orthogonal projections reach 0.49 on average and 0.62 at best (``scripts/build_reduction.py``
measures it). Mean and deviation are those of the same clips, so that each value has about mean 0 and variance 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dqa.models.embedded.labels import DATA
from dqa.models.roles import Vectors


@dataclass(frozen=True, slots=True)
class Reduction:
    """A fixed linear map of one encoder's features.

    Attributes:
        model: the encoder and the map, by name; values of two models are never compared.
        directions: k x d, orthonormal rows.
        mean, deviation: k, of the projected features of real clips.
    """

    model: str
    directions: NDArray[np.float64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    def reduce(self, rows: Vectors) -> tuple[float, ...]:
        """The k values of a clip: its mean row of features (n x d, n > 0), projected, in deviations from the mean."""
        middle = rows.mean(axis=0, dtype=np.float64)
        # A sum and no matrix product: its order of terms, and so its last bit, is the same everywhere.
        projected = (self.directions * middle).sum(axis=1)
        return tuple(float(value) for value in (projected - self.mean) / self.deviation)

    def fits(self, rows: Vectors) -> bool:
        """Whether these are features of its width, and there are any."""
        return rows.ndim == 2 and len(rows) > 0 and rows.shape[1] == self.directions.shape[1]


@cache
def reduction(encoder: str) -> Reduction | None:
    """The map that ships for an encoder (a component's id); None where none was made.

    >>> reduction("efficientnet-lite0").directions.shape, reduction("another")
    ((16, 1280), None)
    """
    path = DATA / f"reduction-{encoder}.npz"
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        directions, mean, deviation = (arrays[name].astype(np.float64) for name in ("directions", "mean", "deviation"))
    return Reduction(f"{encoder}/labels16", directions, mean, deviation)

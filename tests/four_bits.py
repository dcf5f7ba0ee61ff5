"""NF4 on a CPU: bitsandbytes computes it there too, if slowly, so that what is quantised is tested without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def unpacked() -> Iterator[pytest.MonkeyPatch]:
    """Models that are loaded here keep the weights as a GPU has them.

    Where a CPU has AVX512-BF16, bitsandbytes packs them for inference at the first evaluation: what is trained after
    that gets no gradient, and weights of less than a block can't be packed.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: False)
        yield patch

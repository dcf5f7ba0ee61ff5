"""Raters that are known: clips with scores, and people who accept with a chance that rises with the score."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dqa.acceptance.assess import Rated
from dqa.acceptance.beta import Beta
from dqa.acceptance.content import Calibration, ChannelMap
from dqa.record import ChannelName

Array = NDArray[np.float64]
Truth = Callable[[Array], Array]


def strict(scores: Array) -> Array:
    """People who hardly accept below 0.6."""
    return 1 / (1 + np.exp(-10 * (scores - 0.6)))


def rated(n: int, truth: Truth = strict, *, seed: int = 0, clips_a_prompt: int = 1) -> Rated:
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.2, 0.95, n)
    accepted = (rng.random(n) < truth(scores)).astype(np.float64)
    return Rated(scores, accepted, np.arange(n) // clips_a_prompt, n)


def a_map(judge: str = "j", beta: Beta | None = None, checklist: str | None = None) -> ChannelMap:
    return ChannelMap(
        knots=(beta or Beta(2.0, 1.5, -0.5)).knots(),
        judge=judge,
        checklist=checklist,
        threshold=0.75,
        parameters={"a": 2.0, "b": 1.5, "c": -0.5},
        clips=40,
        ratings=50,
        prompts=20,
        accepted=0.4,
        figures={},
    )


def calibration(profile: str = "embedded", **channels: ChannelMap) -> Calibration:
    named: dict[ChannelName, ChannelMap] = {}
    for name, channel in channels.items():
        named[name] = channel  # type: ignore[index]
    return Calibration(profile=profile, created="2026-01-01T00:00:00Z", dqa_version="0", channels=named)

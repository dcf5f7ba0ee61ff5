"""Which of two evaluated clips a user would choose, how surely, and why."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from dqa.taste.features import NAMES, Judged, difference, features
from dqa.taste.learn import learn
from dqa.taste.taste import KNOWN_ENOUGH, Taste

_NAMED = 4


class Prediction(BaseModel):
    """A prediction.

    Attributes:
        p_a: chance that A is chosen, averaged over what is not known.
        interval: its 90 % interval.
        abstained: the choices so far say too little about such a pair; the chance is mostly the prior's.
        version: of the taste; None before the first step.
        because: what pushes most, in words, strongest first.
    """

    model_config = ConfigDict(frozen=True)

    p_a: float
    interval: tuple[float, float]
    abstained: bool
    version: int | None
    because: tuple[str, ...]


def predict(taste: Taste | None, a: Judged, b: Judged) -> Prediction:
    """Predicts the choice between two evaluations; without a taste, from the prior alone."""
    serving = taste or learn([], version=0)
    posterior = serving.posterior()
    gap = difference(*(features(clip, serving.style, serving.history) for clip in (a, b)))
    pushes = posterior.mean * gap
    order = np.argsort(-np.abs(pushes), kind="stable")[:_NAMED]
    return Prediction(
        p_a=posterior.probability(gap),
        interval=posterior.interval(gap),
        abstained=posterior.known_share(gap) < KNOWN_ENOUGH,
        version=taste.version if taste else None,
        because=tuple(_words(NAMES[i], float(pushes[i]), float(gap[i])) for i in order if abs(pushes[i]) > 0.02),
    )


def _words(name: str, push: float, gap: float) -> str:
    what, side = name.partition(":")[2].replace("_", " "), "A" if push > 0 else "B"
    return f"A has {'higher' if gap > 0 else 'lower'} {what} than B, which speaks for {side} ({push:+.2f})"

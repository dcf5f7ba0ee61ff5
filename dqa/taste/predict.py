"""Which of two evaluated clips a user would choose, how surely, and why."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from dqa.errors import UsageError
from dqa.record import EvaluationRecord
from dqa.taste import naming
from dqa.taste.enough import more_choices
from dqa.taste.explain import EMBEDDING, Push, pushes
from dqa.taste.features import INDEX, Judged, Vector, difference, features
from dqa.taste.learn import learn
from dqa.taste.taste import Taste

_NAMED = 4
_FAINT = 0.02
"""A push below this (in log-odds) is not worth a word."""


class Prediction(BaseModel):
    """A prediction.

    Attributes:
        p_a: chance that A is chosen, averaged over what is not known.
        interval: its 90 % interval.
        abstained: the choices so far say too little about such a pair; the chance is mostly the prior's.
        more_choices: about how many more it takes until it does not abstain; 0 when it does not, None when that can't
            be said (the taste is of another version of DQA).
        version: of the taste; None when none can be used, and the prior alone speaks.
        because: what pushes most, in words, strongest first.
    """

    model_config = ConfigDict(frozen=True)

    p_a: float
    interval: tuple[float, float]
    abstained: bool
    more_choices: int | None
    version: int | None
    because: tuple[str, ...]


def predict(taste: Taste | None, a: Judged, b: Judged) -> Prediction:
    """Predicts the choice between two evaluations of one profile.

    Without a taste, or with one whose features are those of another version of DQA, from the prior alone.
    """
    known = taste if taste is not None and taste.usable else None
    serving = known or learn([], version=0)
    posterior = serving.posterior()
    gap = difference(*(features(clip, serving.style, serving.history) for clip in (a, b)))
    more = more_choices(posterior.known_share(gap), serving.pairs)
    named = [push for push in pushes(posterior.mean, gap)[:_NAMED] if abs(push.value) > _FAINT]
    return Prediction(
        p_a=posterior.probability(gap),
        interval=posterior.interval(gap),
        abstained=more > 0,
        more_choices=more if known is taste else None,
        version=known.version if known else None,
        because=tuple(_words(push, gap) for push in named),
    )


def check_comparable(a: EvaluationRecord, b: EvaluationRecord) -> None:
    """Raises ``UsageError`` for two evaluations of different profiles: their scores are never compared."""
    if a.profile != b.profile:
        raise UsageError(
            f"A was judged by profile {a.profile} and B by {b.profile}, whose scores are never compared",
            fix="evaluate both with the same profile",
        )


def _words(push: Push, gap: Vector) -> str:
    side = "A" if push.value > 0 else "B"
    for_whom = f"speaks for {side} ({push.value:+.2f})"
    if push.feature == EMBEDDING:
        return f"what is shown (embedding) {for_whom}"
    higher, lower = ("A", "B") if gap[INDEX[push.feature]] > 0 else ("B", "A")
    if push.feature.startswith("tag:"):
        return f"only {higher} asks for {naming.words(push.feature)}, which {for_whom}"
    return f"{naming.noun(push.feature)} is higher in {higher} than in {lower}, which {for_whom}"

"""Rated clips with the scores that a profile gave them: what a calibration is fitted to, and the fitting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dqa.acceptance.apply import fingerprint
from dqa.acceptance.assess import Assessed, Rated, assess
from dqa.acceptance.content import Anchor, ChannelMap
from dqa.acceptance.curve import Curve
from dqa.acceptance.unfitted import uncalibrated
from dqa.record import ChannelName, EvaluationRecord

ANCHORS = (0.3, 0.6, 0.9)
NEAR = 0.1
"""Clips within this of an anchor's score show what it looks like."""

Thumbnail = Callable[[EvaluationRecord], str | None]
"""A small picture of a record's clip as a JPEG data URI of at most 24,000 characters; None when there is none."""


@dataclass
class Sample:
    """One clip of one prompt: its record, and what each person who rated it said (in [0, 1])."""

    record: EvaluationRecord
    values: list[float] = field(default_factory=list[float])

    def accepted(self, threshold: float) -> float:
        """The share of its ratings that accept."""
        return sum(value >= threshold for value in self.values) / len(self.values)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one channel: a map, or why there is none.

    Attributes:
        fitted: the map that may be used; None when it was refused.
        assessed: how that was decided.
        left_out: rated clips that could not count, reason -> how many.
    """

    fitted: ChannelMap | None
    assessed: Assessed
    clips: int
    ratings: int
    left_out: Mapping[str, int]


def gather(rated: Iterable[tuple[EvaluationRecord, float]]) -> list[Sample]:
    """A sample per clip and prompt, in the order they came; later ratings of a clip join its first record."""
    found: dict[tuple[str, str], Sample] = {}
    for record, value in rated:
        key = (record.media.sha256, record.prompt)
        found.setdefault(key, Sample(record)).values.append(value)
    return list(found.values())


def fit_channel(
    name: ChannelName,
    samples: Sequence[Sample],
    *,
    threshold: float,
    checklist: str | None = None,
    thumbnail: Thumbnail = lambda record: None,
) -> Outcome:
    """Fits and judges one channel's map.

    Args:
        name: the channel.
        samples: of one profile.
        threshold: the rating from which a person accepts.
        checklist: SHA-256 of the checklist weights that are in force; VisionReward's scores by others don't count.
        thumbnail: makes the anchors' pictures.
    """
    judge, usable, left_out = _usable(name, samples, checklist)
    scores = np.array([score for _, score in usable])
    accepted = np.array([sample.accepted(threshold) for sample, _ in usable])
    groups = _groups([sample for sample, _ in usable])
    ratings = sum(len(sample.values) for sample, _ in usable)
    assessed = assess(Rated(scores, accepted, groups, ratings))
    if assessed.refused or assessed.beta is None:
        return Outcome(None, assessed, len(usable), ratings, left_out)
    knots = assessed.beta.knots()
    fitted = ChannelMap(
        knots=knots,
        judge=judge,
        checklist=checklist if name == "visionreward" else None,
        threshold=threshold,
        parameters={"a": assessed.beta.a, "b": assessed.beta.b, "c": assessed.beta.c},
        clips=len(usable),
        ratings=ratings,
        prompts=int(groups.max()) + 1,
        accepted=float(accepted.mean()),
        figures=assessed.figures,
        anchors=tuple(_anchor(at, usable, Curve(knots), threshold, thumbnail) for at in ANCHORS),
    )
    return Outcome(fitted, assessed, len(usable), ratings, left_out)


def _usable(
    name: ChannelName, samples: Sequence[Sample], checklist: str | None
) -> tuple[str, list[tuple[Sample, float]], dict[str, int]]:
    """The judge, the samples that it scored with their own scores, and the others by reason.

    The judge is that of the last sample: what judges now, when records of different days come together.
    """
    scored = [(s, r) for s in samples if (r := s.record.channels.get(name)) is not None and r.score is not None]
    judge = fingerprint(scored[-1][1].model) if scored else ""
    usable: list[tuple[Sample, float]] = []
    left_out: dict[str, int] = {}
    if len(scored) < len(samples):
        left_out["without a score"] = len(samples) - len(scored)
    for sample, result in scored:
        used, score = sample.record.reproduce.checklist, uncalibrated(result)
        if fingerprint(result.model) != judge:
            left_out["judged by another model"] = left_out.get("judged by another model", 0) + 1
        elif name == "visionreward" and (used.sha256 if used else None) != checklist:
            why = "judged under other checklist weights"
            left_out[why] = left_out.get(why, 0) + 1
        elif score is not None:
            usable.append((sample, score))
    return judge, usable, left_out


def _groups(samples: Sequence[Sample]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    numbers: dict[str, int] = {}
    found = [numbers.setdefault(" ".join(s.record.prompt.split()).casefold(), len(numbers)) for s in samples]
    return np.array(found, dtype=np.int64)


def _anchor(
    at: float, usable: Sequence[tuple[Sample, float]], curve: Curve, threshold: float, thumbnail: Thumbnail
) -> Anchor:
    seen = [(sample, curve(score)) for sample, score in usable]
    near = [(sample, score) for sample, score in seen if abs(score - at) <= NEAR]
    if not near:
        return Anchor(at=at, clips=0, ratings=0, accepted=None)
    nearest, score = min(near, key=lambda pair: (abs(pair[1] - at), pair[0].record.id))
    picture = thumbnail(nearest.record)
    return Anchor(
        at=at,
        clips=len(near),
        ratings=sum(len(sample.values) for sample, _ in near),
        accepted=float(np.mean([sample.accepted(threshold) for sample, _ in near])),
        score=score if picture else None,
        picture=picture,
    )

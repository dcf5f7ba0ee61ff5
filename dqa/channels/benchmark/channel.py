"""The benchmark channel on measured signals: every dimension from one decode, folded so that one bad one pulls hard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import JsonValue

from dqa.channels.benchmark.curves import curves
from dqa.channels.benchmark.dimensions import ASPECTS, DIMENSIONS
from dqa.channels.benchmark.view import Finding, Likeness, View
from dqa.channels.contract import ChannelFacts, EvaluationContext
from dqa.channels.scales import soft_min
from dqa.errors import ModelUnavailable
from dqa.measure.observation import Observation
from dqa.models.embedded.reduction import reduction
from dqa.models.pool import ModelPool
from dqa.prompt.parse import Prompt
from dqa.record import ChannelResult, Dimension, Evidence, Media, ModelIdentity

_NAMED = 3
_GOOD = 0.7


class MeasuredBenchmark:
    """VBench's dimensions for one clip, gated so that a frozen, static or blurred clip scores below a sound one.

    The score is the soft minimum (:func:`dqa.channels.scales.soft_min`) of all dimensions that could be judged.

    Args:
        pool: where the image encoder comes from; asked on the first clip that needs it.
        components: the encoder's id, one.
        likeness: the encoder's scale, where it is not EfficientNet-Lite0 (:class:`dqa.channels.benchmark.view.Likeness`
            by name).
    """

    facts: ClassVar[ChannelFacts] = ChannelFacts(
        name="benchmark",
        question="Does the clip meet technical standards: steady, smooth, sharp, unfrozen, in one piece?",
        needs_prompt=False,
        stills=True,
    )

    def __init__(
        self, *, pool: ModelPool, components: tuple[str, ...], likeness: Mapping[str, float] | None = None
    ) -> None:
        (self._encoder,) = components
        self._pool = pool
        self._likeness = Likeness(**(likeness or {}))

    @property
    def model(self) -> ModelIdentity:
        encoder = self._pool.identity(self._encoder)
        packaged = self._pool.profile.component(self._encoder).loader == "efficientnet-lite"
        features = "an ImageNet classifier's" if packaged else "one encoder's for all dimensions"
        return ModelIdentity(
            id="measured-benchmark",
            licence="Apache-2.0",
            weakness=f"flow is DIS and features are {features}: not comparable with VBench's leaderboard",
            parts=(encoder,),
        )

    def evaluate(self, observation: Observation, prompt: Prompt, context: EvaluationContext) -> ChannelResult:
        """Judges one clip; ``dimensions`` holds each dimension, ``raw`` the four aspects, the curves, what it shows."""
        view = View(observation, lambda: self._pool.get(self._encoder), self._likeness)
        found = {name: measure(view) for name, measure in DIMENSIONS.items()}
        result = folded(view, found, self.model)
        if result.score is None:
            return result
        return result.model_copy(update={"raw": {**result.raw, **self._shown(view)}})

    def _shown(self, view: View) -> dict[str, JsonValue]:
        """``embedding``: what the clip shows, from the features that subject consistency looks at; nothing without."""
        reduce = reduction(self._encoder)
        if reduce is None:
            return {}
        try:
            rows = view.subject
        except ModelUnavailable:  # an image needs no encoder for its verdict
            return {}
        if not reduce.fits(rows):
            return {}
        return {"embedding": {"model": reduce.model, "values": list(reduce.reduce(rows))}}


def folded(view: View, found: dict[str, Finding], model: ModelIdentity) -> ChannelResult:
    """The channel's result: the soft minimum of the dimensions that have a score, with reasons, evidence and curves."""
    media, judged = view.observation.media, ranked(found)
    if not judged:
        return ChannelResult(status="abstained", reason="not one frame could be measured", model=model)
    return ChannelResult(
        status="ok",
        score=soft_min(score for _, score in judged),
        confidence=confidence(media, view.signals.frames, len(judged) / len(found)),
        reason=explain(found, judged),
        evidence=evidence(found, judged),
        model=model,
        raw=_raw(view, found),
        dimensions={name: dimension(finding) for name, finding in found.items()},
    )


def ranked(found: dict[str, Finding]) -> list[tuple[str, float]]:
    """The dimensions that have a score, worst first; of two alike the one listed first."""
    scores = [(name, finding.score) for name, finding in found.items() if finding.score is not None]
    return sorted(scores, key=lambda pair: pair[1])


def explain(found: dict[str, Finding], judged: list[tuple[str, float]]) -> str:
    """The weakest dimensions with what was measured; of a clip without a weak one, the lowest."""
    weak = [(name, score) for name, score in judged if score < _GOOD][:_NAMED]
    shown = weak or judged[:1]
    parts = [f"{name.replace('_', ' ')} {score:.2f}: {found[name].reason}" for name, score in shown]
    lead = "Weakest first. " if weak else "No weak dimension; the lowest is "
    silent = sum(finding.score is None for finding in found.values())
    tail = f" {silent} of {len(found)} dimensions could not be judged." if silent else ""
    return lead + ". ".join(part[:1].upper() + part[1:] if weak else part for part in parts) + "." + tail


def confidence(media: Media, frames: int, answered: float) -> float:
    """0.85 from 24 frames, 1.5 s and 240 lines on with all dimensions judged; less for less, and for lost packets."""
    long = min(1.0, media.duration_s / 1.5) if media.kind == "video" else 1.0
    many = min(1.0, frames / 24) if media.kind == "video" else 1.0
    large = min(1.0, min(media.width, media.height) / 240)
    whole = frames / (frames + media.corrupt_packets) if frames else 0.0
    return 0.85 * (long * many * large) ** 0.5 * answered**0.5 * whole


def evidence(found: dict[str, Finding], judged: list[tuple[str, float]]) -> tuple[Evidence, ...]:
    """What the dimensions rest on, those of the worst first."""
    return tuple(
        item.model_copy(update={"text": f"{name.replace('_', ' ')}: {item.text}"})
        for name, _ in judged
        for item in found[name].evidence
    )


def dimension(finding: Finding) -> Dimension:
    """A finding as the record keeps it."""
    return Dimension(score=finding.score, raw=finding.raw, status=finding.status, reason=finding.reason)


def _raw(view: View, found: dict[str, Finding]) -> dict[str, JsonValue]:
    aspects: dict[str, JsonValue] = {}
    for aspect, names in ASPECTS.items():
        aspects[aspect] = soft_min(score for name in names if (score := found[name].score) is not None)
    return {"aspects": aspects, "curves": dict(curves(view))}

"""VisionReward's four axes without a judge: pixels measured, reasons and advice in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import ClassVar

from dqa.channels.benchmark.channel import confidence
from dqa.channels.benchmark.view import View
from dqa.channels.contract import ChannelFacts, EvaluationContext
from dqa.channels.visionreward.axes import AXES, Verdict
from dqa.measure.colour import ColourSignature
from dqa.measure.look import look
from dqa.measure.observation import Observation
from dqa.models.pool import ModelPool
from dqa.prompt.parse import Prompt
from dqa.record import AxisName, ChannelResult, ModelIdentity

_MOST_SURE = 0.5
"""Pixels say whether a clip is spoiled, hardly whether it is beautiful: the channel is never surer than this."""


class MeasuredVisionReward:
    """Aesthetic 0.30, motion 0.25, coherence 0.25, fidelity 0.20: the score is the weighted mean of those judged.

    Args:
        pool, components: taken for the sake of the interface; no model is used.
    """

    facts: ClassVar[ChannelFacts] = ChannelFacts(
        name="visionreward",
        question="Why is the clip good or bad, and what would make it better?",
        needs_prompt=False,
        stills=True,
    )

    def __init__(self, *, pool: ModelPool, components: tuple[str, ...] = ()) -> None:
        del pool, components

    @property
    def model(self) -> ModelIdentity:
        return ModelIdentity(
            id="measured-visionreward",
            licence="Apache-2.0",
            weakness="measures pixels; it has not learned what people find beautiful and does not read the prompt",
        )

    def evaluate(self, observation: Observation, prompt: Prompt, context: EvaluationContext) -> ChannelResult:
        """Judges one clip; ``axes`` holds each axis with reason and advice, ``raw["look"]`` how it looks."""
        view = View(observation, ColourSignature)
        found: dict[AxisName, Verdict] = {name: judge(view) for name, (_, judge) in AXES.items()}
        scored: dict[AxisName, float] = {n: v.axis.score for n, v in found.items() if v.axis.score is not None}
        if not scored:
            return ChannelResult(status="abstained", reason="not one frame could be measured", model=self.model)
        total = sum(AXES[name][0] for name in scored)
        order = sorted(scored, key=lambda name: scored[name])
        worst = order[0]
        return ChannelResult(
            status="ok",
            score=sum(AXES[name][0] * score for name, score in scored.items()) / total,
            confidence=_confidence(observation, total),
            reason=f"From pixel measurements, not a learned judge of beauty. Weakest axis {worst} {scored[worst]:.2f}: "
            f"{found[worst].axis.reason}.",
            evidence=tuple(
                item.model_copy(update={"text": f"{name}: {item.text}"})
                for name in order
                for item in found[name].evidence
            ),
            model=self.model,
            raw={
                "axis_weights": {name: weight for name, (weight, _) in AXES.items()},
                "look": dict(asdict(look(observation))),
            },
            axes={name: verdict.axis for name, verdict in found.items()},
        )


def _confidence(observation: Observation, answered: float) -> float:
    sure = confidence(observation.media, observation.signals.frames, answered)
    return min(_MOST_SURE, sure * _MOST_SURE / 0.85)

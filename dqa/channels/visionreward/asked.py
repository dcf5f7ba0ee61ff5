"""The VisionReward channel by a judge: the checklist's questions asked of a vision-language model, folded to four axes.

An axis is the mean of P(yes) over its questions, by their published weights; the channel is the mean of the axes by the
mission's weights. Weights fitted to choices (:mod:`~dqa.channels.visionreward.refit`) take the published ones' place
where they are in force. The questions that failed are the reasons, in their own words, and each group of them has its
advice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import ClassVar, cast

from pydantic import JsonValue

from dqa.acceptance.apply import fingerprint
from dqa.channels.contract import ChannelFacts, EvaluationContext
from dqa.channels.seeing import even_choice
from dqa.channels.visionreward.axes import AXES, MOTION_LOW
from dqa.channels.visionreward.checklist import Checklist, checklist, published_score
from dqa.channels.visionreward.folding import axis_scores, folded, mean, weighed
from dqa.channels.visionreward.reweighed import fitted
from dqa.measure.look import look
from dqa.measure.observation import Observation
from dqa.models.pool import ModelPool
from dqa.models.roles import VisionLanguageModel, YesNo
from dqa.models.vlm.safety import screen
from dqa.prompt.parse import Prompt
from dqa.record import PUBLISHED, Axis, AxisName, ChannelResult, Evidence, ModelIdentity

MAX_FRAMES = 8
GOOD = 0.7
"""From here on an axis gets no advice."""

_CONFIDENCE, _STATED_CONFIDENCE, _TAMPERED = 0.7, 0.4, 0.5
_FAILED, _NAMED = 0.5, 3

ADVICE: Mapping[str, str] = {
    "alignment": "the prompt is not met -> say first what must be seen, in short plain clauses, and drop the rest",
    "composition": "composition weak -> name the framing, such as a centred medium shot or the rule of thirds",
    "camera movement": "camera movement flawed -> ask for one slow camera move, or a fixed camera",
    "camera motion": "camera hardly moves -> name one camera move, if you want one",
    "colours": "colour weak -> name two or three colours and the light",
    "lighting": "light flawed -> name one light source and the time of day",
    "shape at the start": "shapes wrong from the first frame -> one subject, seen whole, in a simple pose",
    "shape throughout": "shapes do not hold -> slower motion, fewer subjects, a shorter clip",
    "movement smoothness": MOTION_LOW,
    "movement realism": "movement unreal -> name a movement that bodies make, and what it acts on",
    "image stability": "picture unstable -> a fixed camera, even light, less small texture",
    "details": "details rough -> a closer shot, fewer things, more sampling steps",
    "letters": "letters wrong -> ask for no text, or add it afterwards",
    "symmetry": "unbalanced -> ask for a symmetric or centred composition",
    "main subject": "no clear subject -> name one subject and put it first in the prompt",
    "richness": "picture empty -> name a background and two or three things in it",
    "clarity": "picture unclear -> ask for sharp focus, or raise resolution or steps",
    "emotion": "leaves one cold -> name the mood and the light that carries it",
    "detail": "details rough -> a closer shot, fewer things, more sampling steps",
    "recognisable": "hard to recognise -> name the subject plainly, in front of a plain background",
    "fragmented": "picture in pieces -> one scene, one point of view",
    "body": "body wrong -> one person, whole, in a simple pose",
    "face": "face wrong -> a closer shot of the face, looking at the camera",
    "hands": "hands wrong -> keep hands at rest or out of the picture",
}
"""What to change in the prompt, by group of questions."""


class AskedVisionReward:
    """VisionReward's checklist asked of a vision-language model.

    Args:
        pool: where the model comes from; asked on first use.
        components: the model's id, one.
    """

    facts: ClassVar[ChannelFacts] = ChannelFacts(
        name="visionreward",
        question="Why is the clip good or bad, and what would make it better?",
        needs_prompt=True,
        stills=True,
    )

    def __init__(self, *, pool: ModelPool, components: tuple[str, ...]) -> None:
        (self._component,) = components
        self._pool = pool

    @property
    def model(self) -> ModelIdentity:
        judge = self._pool.identity(self._component)
        weakness = "the checklist's weights were fitted to another model's answers: they rank, and are no probabilities"
        return ModelIdentity(id="visionreward-checklist", licence="Apache-2.0", weakness=weakness, parts=(judge,))

    def evaluate(self, observation: Observation, prompt: Prompt, context: EvaluationContext) -> ChannelResult:
        """Judges one clip; ``raw`` holds P(yes) to each question, the published score, and the look.

        Under fitted weights it also holds their version, and score and axes by the published ones.
        """
        frames = even_choice(observation.stills, MAX_FRAMES)
        screened = screen(prompt.text)
        if not frames:
            return ChannelResult(status="abstained", reason="every frame is blank", model=self.model)
        items = checklist(observation.media.kind)
        judge: VisionLanguageModel = self._pool.get(self._component)
        texts = [question.asked(screened.text) for question in items.questions]
        texts += [f"{gate} Please answer Yes or No." for gate in items.gates]
        answers = judge.ask([frame.image for frame in frames], texts)
        known = [answer for answer in answers if answer is not None]
        if len(known) < len(answers) / 2:
            return ChannelResult(
                status="abstained", reason="the model answered too few questions with yes or no", model=self.model
            )
        weights = context.checklist.content if context.checklist else None
        own = fitted(items, observation.media.kind, fingerprint(self.model), weights)
        found = self._judged(items, own, answers, context, tampered=screened.suspicious)
        if own is not None and weights is not None:
            found = found.model_copy(update={"raw": found.raw | {"checklist_version": weights.version}})
        return found.model_copy(update={"raw": found.raw | {"look": dict(asdict(look(observation)))}})

    def _judged(
        self,
        items: Checklist,
        own: Checklist | None,
        answers: Sequence[YesNo | None],
        context: EvaluationContext,
        *,
        tampered: bool,
    ) -> ChannelResult:
        p_yes = [None if answer is None else answer.p_yes for answer in answers]
        questions, gates = p_yes[: len(items.questions)], p_yes[len(items.questions) :]
        present = {gate: 0.5 if p is None else p for gate, p in zip(items.gates, gates, strict=True)}
        axes: dict[AxisName, Axis] = {name: _axis(name, own or items, questions, present) for name in AXES}
        scored: dict[AxisName, float] = {n: axis.score for n, axis in axes.items() if axis.score is not None}
        if not scored:
            return ChannelResult(status="abstained", reason="no axis could be judged", model=self.model)
        soft = all(answer.soft for answer in answers if answer is not None)
        sure = (_CONFIDENCE if soft else _STATED_CONFIDENCE) * (_TAMPERED if tampered else 1.0)
        semantic = context.results.get("semantic")
        whole = [0.5 if p is None else p for p in questions]
        published = published_score(items, whole, present, semantic.score if semantic else None)
        return ChannelResult(
            status="ok",
            score=folded(scored),
            confidence=sure * len([p for p in p_yes if p is not None]) / len(p_yes),
            reason=_reason(axes, scored),
            evidence=tuple(_failures(own or items, questions)),
            model=self.model,
            raw={
                "axis_weights": {name: weight for name, (weight, _) in AXES.items()},
                "published_score": published,
                "answers": [{"question": q.text, "p_yes": p} for q, p in zip(items.questions, questions, strict=True)],
                "gates": cast("dict[str, JsonValue]", dict(present)),
                "judge_tamper_suspected": tampered,
                **(_by_published(items, questions, present) if own else {}),
            },
            axes=axes,
        )


def _axis(name: AxisName, items: Checklist, p_yes: Sequence[float | None], present: Mapping[str, float]) -> Axis:
    """One axis: weighted mean of P(yes); a question about what is hardly there weighs by how likely it is there."""
    asked = weighed(name, items, p_yes, present)
    score = mean(asked)
    if score is None:
        return Axis(score=None, reason="no question of this axis was answered", advice="")
    failed = sorted((item for item in asked if item[1] < _FAILED), key=lambda item: item[2] * (item[1] - 1))
    words = "; ".join(f"no ({p:.2f}): {question.text}" for question, p, _ in failed[:_NAMED])
    groups = dict.fromkeys(question.group for question, _, _ in failed)
    advice = "; ".join(ADVICE[group] for group in groups if group in ADVICE) if score < GOOD else ""
    return Axis(score=score, reason=words or "every question was answered with yes", advice=advice)


def _by_published(
    items: Checklist, p_yes: Sequence[float | None], present: Mapping[str, float]
) -> dict[str, JsonValue]:
    """What the same answers come to by the published weights: what a taste compares clips by."""
    axes = axis_scores(items, p_yes, present)
    return {PUBLISHED: {"score": folded(axes), "axes": {str(name): score for name, score in axes.items()}}}


def _failures(items: Checklist, p_yes: Sequence[float | None]) -> list[Evidence]:
    failed = [(q, p) for q, p in zip(items.questions, p_yes, strict=True) if p is not None and p < _FAILED and q.axis]
    failed.sort(key=lambda pair: pair[0].weight * (pair[1] - 1))
    return [Evidence(text=f"{question.axis}: no ({p:.2f}) to “{question.text}”") for question, p in failed[:_NAMED]]


def _reason(axes: Mapping[AxisName, Axis], scored: Mapping[AxisName, float]) -> str:
    worst = min(scored, key=lambda name: scored[name])
    return f"From {len(scored)} axes of a checklist. Weakest axis {worst} {scored[worst]:.2f}: {axes[worst].reason}."

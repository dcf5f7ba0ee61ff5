"""The VisionReward channel by a judge: the checklist's questions asked of a vision-language model, folded to four axes.

An axis is the mean of P(yes) over its questions, by their published weights; the channel is the mean of the axes by the
mission's weights. Weights fitted to choices (:mod:`~dqa.channels.visionreward.refit`) take the published ones' place
where they are in force. The questions that failed are the reasons, in their own words, each group of them has its
advice (:mod:`~dqa.channels.visionreward.telling`), and the judge may add one sentence of its own. Where the frames hold
text for the judge no answer counts, neither the good nor the bad ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

from pydantic import JsonValue

from dqa.acceptance.apply import fingerprint
from dqa.channels.contract import ChannelFacts, EvaluationContext
from dqa.channels.seeing import even_choice
from dqa.channels.visionreward.axes import AXES
from dqa.channels.visionreward.checklist import Checklist, checklist, published_score
from dqa.channels.visionreward.folding import axis_scores, folded
from dqa.channels.visionreward.reweighed import fitted
from dqa.channels.visionreward.sentence import sentence
from dqa.channels.visionreward.telling import Told
from dqa.clip.frame import Image
from dqa.measure.look import look
from dqa.measure.observation import Observation
from dqa.models.pool import ModelPool
from dqa.models.roles import VisionLanguageModel, YesNo
from dqa.models.vlm.safety import FRAME_QUESTION, LONGEST, Screened, length, screen
from dqa.prompt.parse import Prompt
from dqa.record import PUBLISHED, Axis, AxisName, ChannelResult, ModelIdentity

MAX_FRAMES = 8

_CONFIDENCE, _STATED_CONFIDENCE, _TAMPERED = 0.7, 0.4, 0.5


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the judge said to the questions (None where one was not asked too), the gates, and on text in the frames."""

    questions: tuple[YesNo | None, ...]
    gates: tuple[YesNo | None, ...]
    sign: YesNo | None

    @property
    def known(self) -> list[YesNo]:
        return [answer for answer in (*self.questions, *self.gates) if answer is not None]

    @property
    def share(self) -> float:
        """Of all questions and gates, how many have an answer."""
        return len(self.known) / (len(self.questions) + len(self.gates))


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
        frames = [frame.image for frame in even_choice(observation.stills, MAX_FRAMES)]
        if not frames:
            return ChannelResult(status="abstained", reason="every frame is blank", model=self.model)
        screened = screen(prompt.text)
        kind = observation.media.kind
        items = checklist(kind)
        judge: VisionLanguageModel = self._pool.get(self._component)
        answers = _asked(judge, frames, items, screened, kind)
        seen: dict[str, JsonValue] = {**_on_the_prompt(screened), "look": dict(asdict(look(observation)))}
        sign = None if answers.sign is None else answers.sign.p_yes
        if sign is not None and sign > 0.5:
            reason = "text for the judge is suspected in the picture, so that no answer counts"
            return self._abstained(reason, seen | {"judge_tamper_suspected": True, "frame_text": sign})
        if len(answers.known) < (len(answers.questions) + len(answers.gates)) / 2:
            return self._abstained("the model answered too few questions with yes or no", seen)
        weights = context.checklist.content if context.checklist else None
        own = fitted(items, kind, fingerprint(self.model), weights)
        if own is not None and weights is not None:
            seen["checklist_version"] = weights.version
        told = Told(own or items, _p_yes(answers.questions), _present(items, answers.gates), screened.text)
        axes: dict[AxisName, Axis] = {name: told.axis(name) for name in AXES}
        scored: dict[AxisName, float] = {n: axis.score for n, axis in axes.items() if axis.score is not None}
        if not scored:
            return self._abstained("no axis could be judged", seen)
        added = sentence(judge, frames, kind, [told.words(question) for question, _ in told.failed()])
        if added is not None:
            seen["generated"] = {"sentence": added, "by": self._pool.identity(self._component).id}
        return ChannelResult(
            status="ok",
            score=folded(scored),
            confidence=_sure(answers, screened),
            reason=_reason(axes, scored, screened, added),
            evidence=told.evidence(),
            model=self.model,
            raw={**_raw(items, own, answers, context), "frame_text": sign, **seen},
            axes=axes,
        )

    def _abstained(self, reason: str, raw: dict[str, JsonValue]) -> ChannelResult:
        return ChannelResult(status="abstained", reason=reason, model=self.model, raw=raw)


def _asked(
    judge: VisionLanguageModel, frames: Sequence[Image], items: Checklist, screened: Screened, noun: str
) -> _Answers:
    """All in one go over the same frames. Without words to ask about, what asks about the prompt is left out."""
    asked = [question for question in items.questions if screened.text or not question.on_the_prompt]
    texts: list[str] = [question.asked(screened.text) for question in asked]
    texts += [f"{gate} Please answer Yes or No." for gate in items.gates]
    *answers, sign = judge.ask(frames, [*texts, FRAME_QUESTION.format(noun=noun)])
    by_question = dict(zip(asked, answers, strict=False))
    return _Answers(
        tuple(by_question.get(question) for question in items.questions), tuple(answers[len(asked) :]), sign
    )


def _p_yes(answers: Sequence[YesNo | None]) -> list[float | None]:
    return [None if answer is None else answer.p_yes for answer in answers]


def _present(items: Checklist, gates: Sequence[YesNo | None]) -> dict[str, float]:
    """P(yes) to each gate; a half where it is not known whether the thing is there."""
    return {gate: 0.5 if p is None else p for gate, p in zip(items.gates, _p_yes(gates), strict=True)}


def _sure(answers: _Answers, screened: Screened) -> float:
    soft = all(answer.soft for answer in answers.known)
    whole = _CONFIDENCE if soft else _STATED_CONFIDENCE
    return whole * (_TAMPERED if screened.suspicious else 1.0) * answers.share


def _raw(
    items: Checklist, own: Checklist | None, answers: _Answers, context: EvaluationContext
) -> dict[str, JsonValue]:
    p_yes, present = _p_yes(answers.questions), _present(items, answers.gates)
    semantic = context.results.get("semantic")
    published = published_score(items, p_yes, present, semantic.score if semantic else None)
    return {
        "axis_weights": {name: weight for name, (weight, _) in AXES.items()},
        "published_score": published.score,
        **({} if published.score is not None else {"published_score_missing": published.missing}),
        "answers": [{"question": q.text, "p_yes": p} for q, p in zip(items.questions, p_yes, strict=True)],
        "gates": dict[str, JsonValue](present),
        **(_by_published(items, p_yes, present) if own else {}),
    }


def _on_the_prompt(screened: Screened) -> dict[str, JsonValue]:
    """What of the prompt the judge did not get, and why."""
    said: dict[str, JsonValue] = {
        "judge_tamper_suspected": screened.suspicious,
        "removed": list[JsonValue](screened.removed),
    }
    if not screened.text:
        said["prompt_not_asked"] = "nothing of the prompt is left to ask about"
    elif length(screened.text) > LONGEST:
        said["prompt_cut"] = {"characters_read": LONGEST, "characters": length(screened.text)}
    return said


def _by_published(
    items: Checklist, p_yes: Sequence[float | None], present: Mapping[str, float]
) -> dict[str, JsonValue]:
    """What the same answers come to by the published weights: what a taste compares clips by."""
    axes = axis_scores(items, p_yes, present)
    return {PUBLISHED: {"score": folded(axes), "axes": {str(name): score for name, score in axes.items()}}}


def _reason(
    axes: Mapping[AxisName, Axis], scored: Mapping[AxisName, float], screened: Screened, added: str | None
) -> str:
    worst = min(scored, key=lambda name: scored[name])
    why = axes[worst].reason
    parts = [f"From {len(scored)} axes of a checklist. Weakest axis {worst} {scored[worst]:.2f}: {why.rstrip('.')}."]
    if added is not None:
        parts.append(f"The model adds, in its own words and unchecked: “{added}”")
    if screened.suspicious:
        parts.append("Text meant for the judge was taken out of the prompt, so this counts less.")
    if not screened.text:
        parts.append("Nothing of the prompt was left to ask about, so this says nothing on whether it is met.")
    elif length(screened.text) > LONGEST:
        whole = length(screened.text)
        parts.append(f"Whether the prompt is met was asked of its first {LONGEST} of {whole} characters only.")
    return " ".join(parts)

"""The semantic channel with a vision-language model: VQAScore over the frames, explained by the prompt's atoms.

Score (Lin et al. 2024, t2v_metrics 3.1): P(yes) to ``Does this video show "{prompt}"? Please answer Yes or No.``, here
as ``sigmoid(log P(yes) - log P(no))`` with the mass of all surface forms on either side. Prompts of over 60 words make
P(yes) collapse, so they are asked clause by clause and the mean log-odds counts. Atoms explain; they don't score.

Where the frames seem to hold text for the judge, each clause's opposite is asked too, and its answer counts only as far
as the opposite is denied: a text that makes every answer a yes then lowers the score. The channel keeps its weight,
since a doubt that took weight from a low score would raise the clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import JsonValue

from dqa.channels.contract import ChannelFacts, EvaluationContext
from dqa.channels.seeing import even_choice
from dqa.channels.semantic.atoms import atoms, left_out
from dqa.channels.semantic.clauses import length, packed, parted, shortened
from dqa.channels.semantic.held import HOLDS, Held, held, placed
from dqa.clip.frame import Image
from dqa.measure.observation import Observation
from dqa.models.pool import ModelPool
from dqa.models.roles import VisionLanguageModel, YesNo
from dqa.models.vlm.safety import FRAME_QUESTION, Screened, quoted, screen
from dqa.prompt import parse_prompt
from dqa.prompt.parse import Prompt
from dqa.record import ChannelResult, ModelIdentity

MAX_FRAMES = 8
LONG_PROMPT = 60
"""Words over which a prompt is asked clause by clause."""

_CONFIDENCE, _STATED_CONFIDENCE, _TAMPERED = 0.85, 0.5, 0.5


@dataclass(frozen=True, slots=True)
class _Clause:
    """A clause with its answer, None where there was none, and that to its opposite, None where it was not asked."""

    text: str
    answer: YesNo | None
    opposite: YesNo | None = None
    bounded: bool = False

    @property
    def log_odds(self) -> float | None:
        """Of its answer; where it is bounded, at most those against its opposite, and at most 0 if that is silent."""
        if self.answer is None or not self.bounded:
            return None if self.answer is None else self.answer.log_odds
        return min(self.answer.log_odds, 0.0 if self.opposite is None else -self.opposite.log_odds)

    def raw(self) -> dict[str, JsonValue]:
        """For the record."""
        told: dict[str, JsonValue] = {"text": self.text, "log_odds": self.answer.log_odds if self.answer else None}
        if self.bounded:
            told["opposite"] = self.opposite.log_odds if self.opposite else None
        return told


class VqaSemantic:
    """VQAScore by a vision-language model.

    Args:
        pool: where the model comes from; asked on first use.
        components: the model's id, one.
    """

    facts: ClassVar[ChannelFacts] = ChannelFacts(
        name="semantic", question="What is in the video?", needs_prompt=True, stills=True
    )

    def __init__(self, *, pool: ModelPool, components: tuple[str, ...]) -> None:
        (self._component,) = components
        self._pool = pool

    @property
    def model(self) -> ModelIdentity:
        return self._pool.identity(self._component)

    def evaluate(self, observation: Observation, prompt: Prompt, context: EvaluationContext) -> ChannelResult:
        """Judges one clip; ``raw`` holds the log-odds, each clause's and atom's, and whether tampering is suspected."""
        screened = screen(prompt.text)
        frames = even_choice(observation.stills, MAX_FRAMES)
        if not frames:
            return self._abstained("every frame is blank", screened)
        if not screened.text:
            return self._abstained("the prompt holds nothing but words for the judge", screened)
        asked = prompt if not screened.suspicious else parse_prompt(screened.text)
        noun, images = observation.media.kind, [frame.image for frame in frames]
        vlm: VisionLanguageModel = self._pool.get(self._component)
        texts, wanted = split(asked.text), atoms(asked)
        questions = [_whole(text, noun) for text in texts]
        questions += [FRAME_QUESTION.format(noun=noun), *(atom.question.format(noun=noun) for atom in wanted)]
        answers = vlm.ask(images, questions)
        clauses = [_Clause(text, answer) for text, answer in zip(texts, answers[: len(texts)], strict=True)]
        sign, found = answers[len(texts)], answers[len(texts) + 1 :]
        if not any(clause.answer for clause in clauses):
            return self._abstained("the model answered neither yes nor no", screened)
        if signed := sign is not None and sign.p_yes > HOLDS:
            clauses = _bounded(vlm, images, clauses, noun)
        shown, in_frames = placed(vlm, held(wanted, found), frames, noun)
        silent = [clause.text for clause in clauses if clause.answer is None]
        silent += [f"{atom.kind} {atom.text}" for atom, answer in zip(wanted, found, strict=True) if answer is None]
        whole = len(questions) + (len(clauses) if signed else 0)
        asked_for: dict[str, JsonValue] = {
            "questions": {"clip": whole, "frames": in_frames},
            "unanswered": list[JsonValue](shortened(silent)),
            "not_asked": list[JsonValue](shortened(left_out(asked))),
            "sign": None if sign is None else sign.p_yes,
        }
        return self._judged(clauses, shown, screened, signed, asked_for)

    def _judged(
        self,
        clauses: Sequence[_Clause],
        shown: Sequence[Held],
        screened: Screened,
        signed: bool,
        more: dict[str, JsonValue],
    ) -> ChannelResult:
        odds = [odds for clause in clauses if (odds := clause.log_odds) is not None]
        mean = sum(odds) / len(odds)
        score = YesNo(mean, soft=True).p_yes
        soft = all(clause.answer.soft for clause in clauses if clause.answer is not None)
        raw: dict[str, JsonValue] = {
            "log_odds": mean,
            "soft": soft,
            "clauses": [clause.raw() for clause in clauses],
            "atoms": [one.raw() for one in shown],
            "judge_tamper_suspected": screened.suspicious or signed,
            "removed": list[JsonValue](screened.removed),
            **more,
        }
        sure = (_CONFIDENCE if soft else _STATED_CONFIDENCE) * (_TAMPERED if screened.suspicious else 1.0)
        return ChannelResult(
            status="ok",
            score=score,
            confidence=sure * len(odds) / len(clauses),
            reason=_reason(score, shown) + _caveats(clauses, screened, signed),
            evidence=tuple(one.evidence() for one in sorted(shown, key=lambda one: one.p_yes)),
            model=self.model,
            raw=raw,
        )

    def _abstained(self, reason: str, screened: Screened) -> ChannelResult:
        raw: dict[str, JsonValue] = {
            "judge_tamper_suspected": screened.suspicious,
            "removed": list[JsonValue](screened.removed),
        }
        return ChannelResult(status="abstained", reason=reason, model=self.model, raw=raw)


def split(text: str) -> list[str]:
    """The prompt in one piece, or, when it is long, in clauses of at most :data:`LONG_PROMPT` words, in any script.

    >>> split("a fox. " * 40)[0].count("fox") < 40
    True
    """
    if length(text) <= LONG_PROMPT:
        return [text]
    pieces: list[str] = []
    for clause in parted(text):
        for piece in packed(clause, LONG_PROMPT):
            if pieces and length(pieces[-1]) + length(piece) <= LONG_PROMPT // 2:
                pieces[-1] += piece
            else:
                pieces.append(piece)
    return [" ".join(piece.split()) for piece in pieces if piece.strip()]


def _whole(clause: str, noun: str) -> str:
    return f"Does this {noun} show {quoted(clause)}? Please answer Yes or No."


def _opposite(clause: str, noun: str) -> str:
    return f"Is it true that this {noun} does not show {quoted(clause)}? Please answer Yes or No."


def _bounded(vlm: VisionLanguageModel, images: Sequence[Image], clauses: Sequence[_Clause], noun: str) -> list[_Clause]:
    """The clauses with the answers to their opposites."""
    answers = vlm.ask(images, [_opposite(clause.text, noun) for clause in clauses])
    return [_Clause(c.text, c.answer, opposite, bounded=True) for c, opposite in zip(clauses, answers, strict=True)]


def _reason(score: float, shown: Sequence[Held]) -> str:
    verdict = "shows" if score >= 0.7 else "hardly shows" if score < 0.3 else "shows part of"
    missing = {one.atom for one in shown if one.p_yes < HOLDS}
    # What rests on a missing thing is missing with it, and needs no word of its own.
    roots = [one.atom for one in shown if one.atom in missing and missing.isdisjoint(one.bases)]
    named = ", ".join(f"“{atom.text}”" for atom in roots[:3])
    lacks = f"; not found: {named}" if named else ""
    return f"The clip {verdict} what the prompt says{lacks}."


def _caveats(clauses: Sequence[_Clause], screened: Screened, signed: bool) -> str:
    """What else the reason has to say: parts without an answer, and words for the judge."""
    told = ""
    if silent := [clause.text for clause in clauses if clause.answer is None]:
        first = shortened(silent)[0]
        told += f" No yes or no to {len(silent)} of {len(clauses)} parts of the prompt, among them “{first}”."
    if signed:
        told += (
            " Text meant for the judge is suspected in the frames, so each answer counts only as far as its opposite"
            " is denied."
        )
    elif screened.suspicious:
        told += " Text meant for the judge is suspected, so this counts less."
    return told

"""The semantic channel with a vision-language model: VQAScore over the frames, explained by the prompt's atoms.

Score (Lin et al. 2024, t2v_metrics 3.1): P(yes) to ``Does this video show "{prompt}"? Please answer Yes or No.``, here
as ``sigmoid(log P(yes) - log P(no))`` with the mass of all surface forms on either side. Prompts of over 60 words make
P(yes) collapse, so they are asked clause by clause and the mean log-odds counts. Atoms explain; they don't score.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from pydantic import JsonValue

from dqa.channels.contract import ChannelFacts, EvaluationContext
from dqa.channels.seeing import even_choice
from dqa.channels.semantic.atoms import Atom, atoms
from dqa.clip.frame import Frame
from dqa.measure.observation import Observation
from dqa.models.pool import ModelPool
from dqa.models.roles import VisionLanguageModel, YesNo
from dqa.models.vlm.safety import FRAME_QUESTION, Screened, quoted, screen
from dqa.prompt import parse_prompt
from dqa.prompt.parse import Prompt
from dqa.record import ChannelResult, Evidence, ModelIdentity

MAX_FRAMES = 8
LONG_PROMPT = 60
"""Words over which a prompt is asked clause by clause."""

_CONFIDENCE, _STATED_CONFIDENCE, _TAMPERED = 0.85, 0.5, 0.5
_PLACED, _PLACES = 6, 4
"""Atoms that are looked for frame by frame, and in how many frames."""

_BREAK = re.compile(r"(?<=[.!?;\n])\s+|(?<=,)\s+")


@dataclass(frozen=True, slots=True)
class _Held:
    """What came of one atom: P(yes) over the clip and over single frames, and the atom it rests on."""

    atom: Atom
    p_yes: float
    base: Atom | None = None
    by_frame: tuple[tuple[Frame, float], ...] = ()


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
        noun = observation.media.kind
        vlm: VisionLanguageModel = self._pool.get(self._component)
        clauses, wanted = split(asked.text), atoms(asked)
        questions = [_whole(clause, noun) for clause in clauses]
        questions += [FRAME_QUESTION.format(noun=noun), *(atom.question.format(noun=noun) for atom in wanted)]
        answers = vlm.ask([frame.image for frame in frames], questions)
        odds = [answer for answer in answers[: len(clauses)] if answer is not None]
        if not odds:
            return self._abstained("the model answered neither yes nor no", screened)
        held = _held(wanted, answers[len(clauses) + 1 :])
        sign = answers[len(clauses)]
        tampered = screened.suspicious or (sign is not None and sign.p_yes > 0.5)
        return self._judged(odds, clauses, _placed(vlm, held, frames, noun), screened, tampered)

    def _judged(
        self, odds: Sequence[YesNo], clauses: Sequence[str], held: Sequence[_Held], screened: Screened, tampered: bool
    ) -> ChannelResult:
        mean = sum(answer.log_odds for answer in odds) / len(odds)
        score = YesNo(mean, soft=True).p_yes
        soft = all(answer.soft for answer in odds)
        raw: dict[str, JsonValue] = {
            "log_odds": mean,
            "soft": soft,
            "clauses": [{"text": t, "log_odds": a.log_odds} for t, a in zip(clauses, odds, strict=False)],
            "atoms": [_atom_raw(one) for one in held],
            "judge_tamper_suspected": tampered,
            "removed": list[JsonValue](screened.removed),
        }
        confidence = (_CONFIDENCE if soft else _STATED_CONFIDENCE) * (_TAMPERED if tampered else 1.0)
        return ChannelResult(
            status="ok",
            score=score,
            confidence=confidence,
            reason=_reason(score, held, tampered),
            evidence=tuple(_evidence(one) for one in sorted(held, key=lambda one: one.p_yes)),
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
    """The prompt in one piece, or, when it is long, in clauses of at most :data:`LONG_PROMPT` words.

    >>> split("a fox. " * 40)[0].count("fox") < 40
    True
    """
    if len(text.split()) <= LONG_PROMPT:
        return [text]
    pieces: list[str] = []
    for clause in _BREAK.split(text):
        words = clause.split()
        for start in range(0, len(words), LONG_PROMPT):
            piece = " ".join(words[start : start + LONG_PROMPT])
            if pieces and len(pieces[-1].split()) + len(piece.split()) <= LONG_PROMPT // 2:
                pieces[-1] = f"{pieces[-1]} {piece}"
            else:
                pieces.append(piece)
    return pieces


def _whole(clause: str, noun: str) -> str:
    return f"Does this {noun} show {quoted(clause)}? Please answer Yes or No."


def _held(wanted: Sequence[Atom], answers: Sequence[YesNo | None]) -> list[_Held]:
    """The atoms that were answered; one that rests on another holds at most as much as that one (DSG, soft)."""
    found = [answer.p_yes if answer is not None else None for answer in answers]
    held: list[_Held] = []
    for atom, p in zip(wanted, found, strict=True):
        below = found[atom.parent] if atom.parent is not None else None
        base = wanted[atom.parent] if atom.parent is not None else None
        if p is not None:
            held.append(_Held(atom, p if below is None else p * below, base))
    return held


def _placed(vlm: VisionLanguageModel, held: list[_Held], frames: Sequence[Frame], noun: str) -> list[_Held]:
    """The objects and actions that hold, each with the frames where it does: one question a frame."""
    shown = [one for one in held if one.atom.kind in ("object", "action", "attribute") and one.p_yes >= 0.5][:_PLACED]
    some = even_choice(frames, _PLACES)
    if noun == "image" or len(some) < 2 or not shown:
        return held
    questions = [one.atom.question.format(noun="image") for one in shown]
    answers = [(frame, vlm.ask([frame.image], questions)) for frame in some]
    places: dict[int, tuple[tuple[Frame, float], ...]] = {}
    for k, one in enumerate(shown):
        seen = ((frame, answer[k]) for frame, answer in answers)
        places[id(one)] = tuple((frame, yes.p_yes) for frame, yes in seen if yes is not None)
    return [replace(one, by_frame=places.get(id(one), ())) for one in held]


def _evidence(one: _Held) -> Evidence:
    word = "yes" if one.p_yes >= 0.5 else "no"
    text = f"{one.atom.kind} “{one.atom.text}”: {word} ({one.p_yes:.2f})"
    if not one.by_frame:
        return Evidence(text=text)
    holding = [frame for frame, p in one.by_frame if p >= 0.5]
    best = max(one.by_frame, key=lambda pair: pair[1])[0]
    text += f", in {len(holding)} of {len(one.by_frame)} frames looked at"
    span = (holding[0].time_s, holding[-1].time_s) if holding else (best.time_s, best.time_s)
    return Evidence(text=text, frame=best.index, time_s=span)


def _atom_raw(one: _Held) -> dict[str, JsonValue]:
    frames: list[JsonValue] = [{"frame": frame.index, "p_yes": p} for frame, p in one.by_frame]
    return {"kind": one.atom.kind, "text": one.atom.text, "p_yes": one.p_yes, "frames": frames}


def _reason(score: float, held: Sequence[_Held], tampered: bool) -> str:
    verdict = "shows" if score >= 0.7 else "hardly shows" if score < 0.3 else "shows part of"
    missing = [one.atom for one in held if one.p_yes < 0.5]
    # What rests on a missing thing is missing with it, and needs no word of its own.
    roots = [one.atom for one in held if one.atom in missing and (one.base is None or one.base not in missing)]
    named = ", ".join(f"“{atom.text}”" for atom in roots[:3])
    lacks = f"; not found: {named}" if named else ""
    warning = " Text meant for the judge is suspected, so this counts less." if tampered else ""
    return f"The clip {verdict} what the prompt says{lacks}.{warning}"

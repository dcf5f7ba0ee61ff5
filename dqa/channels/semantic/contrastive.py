"""The semantic channel with a small model of images and text (SigLIP, CLIP): does each frame fit the prompt's words?

Of every frame and phrase the model gives a probability that they belong together. The score is that of the prompt, by
clauses where its text tower can't read it in one piece; things, attributes, actions and styles are asked by themselves
and explain it. Such a model reads words as a bag: counts and relations are not asked, since it could not tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from dqa.channels.contract import ChannelFacts, EvaluationContext
from dqa.channels.seeing import even_choice
from dqa.channels.semantic.atoms import Atom, atoms, left_out
from dqa.channels.semantic.clauses import cut, parted, shortened
from dqa.clip.frame import Frame
from dqa.measure.observation import Observation
from dqa.models.pool import ModelPool
from dqa.prompt.parse import Prompt
from dqa.record import ChannelResult, Evidence, ModelIdentity

Floats = NDArray[np.float64]

MAX_FRAMES = 8
SEEN = ("object", "attribute", "action", "style")
"""Kinds of atoms that are asked; the others are named in ``raw.not_judged``."""

WEAKNESS = (
    "reads words as a bag: who does what to whom, counts, negations and places are not seen; "
    "letters in the picture can pass for the thing they name"
)
_CONFIDENCE, _AGAINST_OTHERS = 0.6, 0.45
"""Of a model with a probability for each pair, and of one whose odds are against fixed phrases."""


@dataclass(frozen=True, slots=True)
class _Found:
    """One atom and the probability that each frame shows it."""

    atom: Atom
    by_frame: tuple[tuple[Frame, float], ...]

    @property
    def best(self) -> tuple[Frame, float]:
        return max(self.by_frame, key=lambda pair: pair[1])


class ContrastiveSemantic:
    """Frame by phrase probabilities of a contrastive model.

    Args:
        pool: where the model comes from; asked on first use.
        components: the model's id, one (loader ``hf-contrastive``).
        frames: how many frames, even in time, are looked at.
    """

    facts: ClassVar[ChannelFacts] = ChannelFacts(
        name="semantic", question="What is in the video?", needs_prompt=True, stills=True
    )

    def __init__(self, *, pool: ModelPool, components: tuple[str, ...], frames: int = MAX_FRAMES) -> None:
        (self._component,) = components
        self._pool = pool
        self._frames = frames

    @property
    def model(self) -> ModelIdentity:
        """The model, as a bag of words."""
        named = self._pool.identity(self._component)
        return named.model_copy(update={"weakness": "; ".join(filter(None, (named.weakness, WEAKNESS)))})

    def evaluate(self, observation: Observation, prompt: Prompt, context: EvaluationContext) -> ChannelResult:
        """Judges one clip; ``raw`` holds each clause's mean log-odds and each atom's probability by frame."""
        frames = even_choice(observation.stills, self._frames)
        if not frames:
            return self._abstained("every frame is blank")
        model = self._pool.get(self._component)
        parts = clauses(prompt.text, model.reads)
        if parts is None:
            return self._abstained("the model can read no part of the prompt")
        asked = [atom for atom in atoms(prompt) if atom.kind in SEEN and model.reads(_phrase(atom))]
        images = [frame.image for frame in frames]
        odds: Floats = model.log_odds(images, [*parts, *(_phrase(atom) for atom in asked)])
        held = [_Found(a, _by_frame(frames, odds[:, len(parts) + k])) for k, a in enumerate(asked)]
        return self._judged(parts, odds[:, : len(parts)], held, prompt, sure=bool(model.pairwise))

    def _judged(
        self, parts: Sequence[str], odds: Floats, held: Sequence[_Found], prompt: Prompt, *, sure: bool
    ) -> ChannelResult:
        by_clause = odds.mean(axis=0)
        mean = float(by_clause.mean())
        raw: dict[str, JsonValue] = {
            "log_odds": mean,
            "pairwise": sure,
            "clauses": [{"text": t, "log_odds": float(o)} for t, o in zip(parts, by_clause, strict=True)],
            "log_odds_per_frame": odds.mean(axis=1).tolist(),
            "atoms": [_raw(one) for one in held],
            "not_judged": _not_judged(prompt, held),
        }
        return ChannelResult(
            status="ok",
            score=probability(mean),
            confidence=_CONFIDENCE if sure else _AGAINST_OTHERS,
            reason=_reason(probability(mean), held),
            evidence=tuple(_evidence(one) for one in sorted(held, key=lambda one: one.best[1])),
            model=self.model,
            raw=raw,
        )

    def _abstained(self, reason: str) -> ChannelResult:
        return ChannelResult(status="abstained", reason=reason, model=self.model)


def probability(log_odds: float) -> float:
    """``1 / (1 + exp(-x))`` without overflow, in [0, 1].

    >>> probability(0), probability(-1000)
    (0.5, 0.0)
    """
    return 0.5 * (1 + math.tanh(log_odds / 2))


def clauses(text: str, fits: Callable[[str], bool]) -> list[str] | None:
    """The prompt in one piece where it fits, else its clauses, each cut between words, or at last within one.

    Returns:
        None if a single letter does not fit.

    >>> clauses("a fox, in snow. It runs fast.", lambda piece: len(piece) < 12)
    ['a fox,', 'in snow.', 'It runs', 'fast.']
    >>> clauses("红狐狸，在雪地里奔跑。", lambda piece: len(piece) < 6)
    ['红狐狸，', '在雪地里', '奔跑。']
    """
    if fits(text):
        return [text]
    found: list[str] = []
    for clause in parted(text):
        pieces = cut(clause.split(), fits)
        if pieces is None:
            return None
        found += pieces
    return found


def _not_judged(prompt: Prompt, held: Sequence[_Found]) -> list[JsonValue]:
    """What was not asked: kinds that can't be seen, phrases that are longer than the model reads, and too many."""
    asked = {one.atom for one in held}
    return [*(f"{a.kind} {a.text}" for a in atoms(prompt) if a not in asked), *shortened(left_out(prompt))]


def _phrase(atom: Atom) -> str:
    """What is asked of an atom: SigLIP's own template for zero-shot labels."""
    return f"this is in the style of {atom.text}." if atom.kind == "style" else f"this is a photo of {atom.text}."


def _by_frame(frames: Sequence[Frame], odds: Floats) -> tuple[tuple[Frame, float], ...]:
    return tuple((frame, probability(float(value))) for frame, value in zip(frames, odds, strict=True))


def _evidence(one: _Found) -> Evidence:
    holding = [frame for frame, p in one.by_frame if p >= 0.5]
    best, p = one.best
    word = "yes" if p >= 0.5 else "no"
    text = f"{one.atom.kind} “{one.atom.text}”: {word} ({p:.2f})"
    if len(one.by_frame) > 1:
        text += f", in {len(holding)} of {len(one.by_frame)} frames looked at"
    span = (holding[0].time_s, holding[-1].time_s) if holding else (best.time_s, best.time_s)
    return Evidence(text=text, frame=best.index, time_s=span)


def _raw(one: _Found) -> dict[str, JsonValue]:
    frames: list[JsonValue] = [{"frame": frame.index, "p": p} for frame, p in one.by_frame]
    return {"kind": one.atom.kind, "text": one.atom.text, "p": one.best[1], "frames": frames}


def _reason(score: float, held: Sequence[_Found]) -> str:
    verdict = "fit" if score >= 0.7 else "hardly fit" if score < 0.3 else "may or may not fit"
    missing = [one.atom.text for one in held if one.best[1] < 0.5][:3]
    lacks = f"; in no frame: {', '.join(f'“{text}”' for text in missing)}" if missing else ""
    return f"The frames {verdict} the words of the prompt{lacks}. Counts and relations were not judged."

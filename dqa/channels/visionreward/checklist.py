"""VisionReward's checklist as data: its questions and weights (``data/checklist.json``), and what its score is.

Xu et al. 2024, Apache-2.0. Published form: each answer is +1 for yes and -1 for no, and a video's score is the mean of
answer times weight over its 29 questions; an image's is ``alignment * 2.354`` plus the sum of answer times weight;
the answers about a body, a face or hands count nothing when there is none. Here an answer is soft: ``2 P(yes) - 1``.
The weights were fitted to another model's answers (of 13 to 19 billion parameters); with another judge they rank less.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from dqa.models.vlm.safety import in_short, quoted
from dqa.record import AxisName

Kind = Literal["video", "image"]


@dataclass(frozen=True, slots=True)
class Question:
    """One item.

    Attributes:
        text: as published; ``{prompt}`` stands for the prompt in quotes.
        weight: as published.
        group: what it is about, in a word or two.
        axis: the axis it counts for here; None for what says nothing of quality (is there light, are there letters).
        gate: the question whether what it asks about is there at all.
    """

    text: str
    weight: float
    group: str
    axis: AxisName | None
    gate: str | None

    @property
    def on_the_prompt(self) -> bool:
        """Whether it asks about the prompt's words."""
        return "{prompt}" in self.text

    def told(self, prompt: str) -> str:
        """The question as a reader gets it: a long prompt shortened."""
        return self.text.replace("{prompt}", in_short(prompt))

    def asked(self, prompt: str) -> str:
        """The question as the judge gets it."""
        return self.text.replace("{prompt}", quoted(prompt)) + " Please answer Yes or No."


@dataclass(frozen=True, slots=True)
class Checklist:
    """The questions of a medium and the questions that gate some of them; ``alignment`` weighs an image's VQAScore."""

    questions: tuple[Question, ...]
    gates: tuple[str, ...]
    alignment: float | None


@cache
def checklist(kind: Kind) -> Checklist:
    """The 29 questions for a video, or the 27 for an image with their three gates."""
    text = files("dqa.channels.visionreward").joinpath("data/checklist.json").read_text(encoding="utf-8")
    data: Mapping[str, Any] = json.loads(text)
    questions = tuple(
        Question(item["question"], item["weight"], item["group"], item["axis"], item.get("gate")) for item in data[kind]
    )
    gates = tuple(dict.fromkeys(question.gate for question in questions if question.gate is not None))
    return Checklist(questions, gates, data["image_alignment_weight"] if kind == "image" else None)


@dataclass(frozen=True, slots=True)
class Published:
    """The score in its published form, or why there is none."""

    score: float | None
    missing: str = ""


def published_score(
    items: Checklist, p_yes: Sequence[float | None], present: Mapping[str, float], alignment: float | None
) -> Published:
    """The score in its published form, with soft answers. All of it or none: an answer that is missing is no 0.

    Args:
        items: the checklist of the medium.
        p_yes: P(yes) to each of its questions; None where there is no answer.
        present: P(yes) to each of its gates; only an image's answers are gated, by a half.
        alignment: VQAScore of an image, in [0, 1].
    """
    image = items.alignment is not None
    counted = [
        (q.weight, p)
        for q, p in zip(items.questions, p_yes, strict=True)
        if not image or q.gate is None or present[q.gate] > 0.5
    ]
    answered = [weight * (2 * p - 1) for weight, p in counted if p is not None]
    if len(answered) < len(counted):
        return Published(None, f"{len(counted) - len(answered)} of {len(counted)} questions have no answer")
    if items.alignment is None:
        return Published(sum(answered) / len(items.questions))
    if alignment is None:
        return Published(None, "it needs a VQAScore of the image, and semantic gives none")
    return Published(items.alignment * alignment + sum(answered))

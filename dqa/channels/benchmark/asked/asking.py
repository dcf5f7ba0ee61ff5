"""What an asked dimension works with: one clip, the prompt without words for the judge, and the judge's answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Protocol, cast

from pydantic import JsonValue

from dqa.channels.benchmark.view import Finding, abstain
from dqa.channels.seeing import even_choice
from dqa.clip.frame import Frame
from dqa.measure.observation import Observation
from dqa.models.roles import VisionLanguageModel, YesNo
from dqa.models.vlm.safety import Screened, screen
from dqa.prompt import parse_prompt
from dqa.prompt.parse import Prompt

MAX_FRAMES = 8
YES_OR_NO = "Please answer Yes or No."

ONE_PERSON = f"Does this video show exactly one person, and no other? {YES_OR_NO}"
"""The gate of human identity and human clothes (VBench-2.0, Human_Clothes)."""


class Asked(Protocol):
    """What a dimension's file holds."""

    def questions(self, asking: Asking) -> Sequence[str]:
        """What it will want to know of the whole clip: asked in one go for all dimensions, over the same frames."""
        ...

    def measure(self, asking: Asking) -> Finding:
        """Its verdict; abstains where the clip or the prompt does not raise its question."""
        ...


def dimension(module: ModuleType) -> Asked:
    """A dimension by its file."""
    return cast(Asked, module)


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition that must hold for a dimension to mean anything."""

    name: str
    p_yes: float | None

    @property
    def passed(self) -> bool:
        return self.p_yes is not None and self.p_yes >= 0.5

    def told(self) -> str:
        if self.p_yes is None:
            return f"the model said neither yes nor no to the gate “{self.name}”"
        return f"the gate “{self.name}” is not passed (P(yes) {self.p_yes:.2f})"


class Asking:
    """One clip before the judge.

    Args:
        observation: the clip, decoded once.
        prompt: what it was made from, as the user wrote it.
        vlm: gives the judge when it is first asked.

    Attributes:
        log: every question with its answer, for the record.
        soft: whether all answers so far were read from token probabilities.
    """

    def __init__(self, observation: Observation, prompt: Prompt, vlm: Callable[[], VisionLanguageModel]) -> None:
        self.observation = observation
        self.screened: Screened = screen(prompt.text)
        self.prompt = prompt if not self.screened.suspicious else parse_prompt(self.screened.text or " ")
        self._vlm = vlm
        self._known: dict[str, YesNo | None] = {}
        self.log: list[JsonValue] = []
        self.soft = True

    @cached_property
    def frames(self) -> list[Frame]:
        """At most :data:`MAX_FRAMES` stills that show anything, even in time."""
        return even_choice(self.observation.stills, MAX_FRAMES)

    def prefetch(self, questions: Sequence[str]) -> None:
        """Asks them over :attr:`frames` in one go; a model on this machine sees the frames once for all of them."""
        new = [question for question in dict.fromkeys(questions) if question not in self._known]
        if new:
            self._known.update(zip(new, self.over(self.frames, new), strict=True))

    def answer(self, question: str) -> YesNo | None:
        """The answer to a question over the whole clip; None where the model said neither yes nor no."""
        self.prefetch([question])
        return self._known[question]

    def gate(self, name: str, question: str) -> Gate:
        """Whether a condition holds over the whole clip."""
        found = self.answer(question)
        return Gate(name, None if found is None else found.p_yes)

    def over(self, frames: Sequence[Frame], questions: Sequence[str]) -> list[YesNo | None]:
        """The answers over some frames, kept in :attr:`log`."""
        if not questions or not frames:
            return [None] * len(questions)
        answers = self._vlm().ask([frame.image for frame in frames], questions)
        span: list[JsonValue] = [frames[0].time_s, frames[-1].time_s]
        for question, found in zip(questions, answers, strict=True):
            told = None if found is None else found.log_odds
            self.log.append({"question": question, "time_s": span, "log_odds": told})
            self.soft = self.soft and (found is None or found.soft)
        return answers


def weakest(parts: Mapping[str, YesNo | None]) -> tuple[str, YesNo] | None:
    """The part that most likely does not hold, of those with an answer: all must hold, and the weakest decides."""
    known = [(name, answer) for name, answer in parts.items() if answer is not None]
    return min(known, key=lambda pair: pair[1].log_odds) if known else None


def all_hold(parts: Mapping[str, YesNo | None], coverage: str) -> Finding:
    """The finding of a dimension that asks whether several things all hold.

    Raw: the least log-odds; score: the probability they stand for. Abstains where one part has no answer.
    """
    found = weakest(parts)
    silent = [name for name, answer in parts.items() if answer is None]
    if found is None or silent:
        return abstain(f"the model said neither yes nor no to {', '.join(silent) or 'any question'}; {coverage}")
    name, answer = found
    return Finding(answer.p_yes, answer.log_odds, f"the weakest is “{name}” (P(yes) {answer.p_yes:.2f}); {coverage}")

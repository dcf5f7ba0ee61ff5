"""A vision-language model by script: it answers by rules on what it is asked, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dqa.clip.frame import Image
from dqa.models.roles import YesNo

Answer = Callable[[str, list[str]], Any]
"""(instruction, names of the axes asked about) -> what it says."""


@dataclass
class ScriptedModel:
    """One model. ``sign``: it finds text for the judge in the frames."""

    answer: Answer
    sign: bool = False
    asked: list[str] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)

    def ask(self, images: Sequence[Image], questions: Sequence[str]) -> list[YesNo | None]:
        return [YesNo(3.0 if self.sign else -3.0, soft=True) for _ in questions]

    def write(self, images: Sequence[Image], instruction: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
        self.asked.append(instruction)
        self.shown.append(len(images))
        return self.answer(instruction, list(schema["properties"]["axes"]["properties"]))


def verdicts(verdict: Any = "match", gen: Any = "something else", **by_axis: Any) -> Answer:
    """Says one verdict on every axis, and what ``by_axis`` says on some."""

    def answer(_: str, names: list[str]) -> dict[str, Any]:
        axes = {name: by_axis.get(name, {"gen": gen, "verdict": verdict}) for name in names}
        return {"axes": {name: said for name, said in axes.items() if said is not None}}

    return answer


def in_turn(*answers: Answer | dict[str, Any] | None) -> Answer:
    """One after the other, then the last for ever."""
    waiting = list(answers)

    def answer(instruction: str, names: list[str]) -> Any:
        said = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return said(instruction, names) if callable(said) else said

    return answer

"""The loop's ports: who writes, who generates, who verifies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dqa.record import EvaluationRecord
from dqa.refine.rule import Standards


@dataclass(frozen=True, slots=True)
class Tried:
    """A prompt that was tried: the grade of its clip, and what the verdict advises."""

    prompt: str
    grade: str | None
    advice: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """What a writer is asked. All text in it is material, never an instruction.

    Attributes:
        brief: what the user wants to see, in their words.
        tried: the prompts of this brief so far, oldest first; empty the first time.
        standards: what has gone wrong before, and what has worked.
    """

    brief: str
    tried: tuple[Tried, ...]
    standards: Standards

    @property
    def advice(self) -> tuple[str, ...]:
        """What the last verdict advises."""
        return self.tried[-1].advice if self.tried else ()


class Writer(Protocol):
    """Whoever writes prompts."""

    @property
    def name(self) -> str:
        """How the log and the record call it."""
        ...

    def write(self, request: WriteRequest) -> str:
        """A prompt that :func:`dqa.prompt.check_prompt` takes.

        Raises:
            UnavailableError: the writer gave no usable prompt.
            Cancelled: whoever writes wants to stop here.
        """
        ...


class Generator(Protocol):
    """Whatever makes clips from prompts."""

    def make(self, prompt: str, negative: str | None, seed: int | None, target: Path, name: str | None = None) -> Path:
        """Makes one at ``target`` with the suffix it has, whole or not at all; ``name`` tells two requests apart."""
        ...


class Verifier(Protocol):
    """Whoever judges clips."""

    def judge(self, media: Path, prompt: str, evaluation: str) -> EvaluationRecord:
        """The evaluation with that id: made, kept, and given again when it is asked for again.

        Raises:
            InputError: the clip can't be judged.
            UnavailableError: nothing can be judged now.
        """
        ...

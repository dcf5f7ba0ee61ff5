"""The editor's port: it corrects a prompt on the axes that the loop picked, and on nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dqa.calibrate.axes import Axis
from dqa.calibrate.verdicts import Verdict

Gains = Mapping[tuple[str, str, str], float]
"""(axis, value, wording) -> what it brought in earlier runs, on average; over 0 it helped."""


@dataclass(frozen=True, slots=True)
class Target:
    """One axis to correct: what the reference says, what the best picture so far shows."""

    axis: Axis
    ref: str
    gen: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class EditRequest:
    """What an editor is asked.

    Attributes:
        prompt: the best prompt so far; every edit starts from it.
        targets: one axis, or two where the loop may correct two at once.
        reference: the canonical reference.
        used: wordings tried before on these axes, in order.
        seen: every prompt that was generated already: proposing one of them again leads nowhere.
    """

    prompt: str
    targets: tuple[Target, ...]
    reference: str
    used: tuple[str, ...] = ()
    seen: frozenset[str] = field(default_factory=frozenset[str])


@dataclass(frozen=True, slots=True)
class Edit:
    """A whole new prompt, and for each target the words that are to make the difference."""

    prompt: str
    wordings: tuple[str, ...]


class Editor(Protocol):
    """Whoever edits."""

    @property
    def name(self) -> str:
        """How the log and the report call it; the same name edits the same way."""
        ...

    def propose(self, request: EditRequest) -> Edit | None:
        """An edit of the prompt; None when there is nothing (more) to try on these axes.

        Raises:
            UnavailableError: the editor gave no usable answer.
            Cancelled: whoever edits wants to stop here.
        """
        ...


def together(wordings: Sequence[str]) -> str:
    """Several wordings as one text, for the log."""
    return " + ".join(wordings)

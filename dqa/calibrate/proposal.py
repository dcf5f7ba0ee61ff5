"""What an editor proposes, checked before anything is generated from it. Whether it helps, the loop finds out."""

from __future__ import annotations

from dqa.calibrate.editor import Edit, EditRequest
from dqa.errors import InvalidPrompt
from dqa.prompt import check_prompt

LONGEST = 4000
"""Characters of a proposed prompt."""

LONGEST_WORDING = 200

_TOGETHER = " + "


class NothingNew(InvalidPrompt):
    """A prompt that was generated already: proposing it again leads nowhere."""

    type = "nothing-new"
    title = "The prompt is not new"


def edit_of(prompt: object, wording: object, request: EditRequest) -> Edit:
    """The edit that a prompt and a wording make.

    Args:
        prompt: the whole new prompt.
        wording: the words that are to make the difference; for two axes joined by ``" + "``, or both in one.

    Raises:
        NothingNew: it is the prompt as it was, or one that was tried.
        InvalidPrompt: it is none, or too long; what is wrong reads on from "your answer could not be used:".
    """
    if not isinstance(prompt, str) or not isinstance(wording, str) or not wording.strip():
        raise InvalidPrompt("it has not both a wording and a prompt, as text", fix="give both")
    if len(prompt) > LONGEST:
        raise InvalidPrompt(f"the prompt is longer than {LONGEST} characters", fix="shorten it")
    checked = check_prompt(prompt)
    if checked.split() == request.prompt.split():
        raise NothingNew("the prompt is the one it was", fix="say it in other words")
    if checked in request.seen:
        raise NothingNew("that prompt was tried already", fix="say it in other words")
    return Edit(checked, _each(wording, len(request.targets)))


def _each(wording: str, targets: int) -> tuple[str, ...]:
    """A wording for each target: its own where there are as many, else the same for all."""
    parts = [" ".join(part.split())[:LONGEST_WORDING] for part in wording.split(_TOGETHER)]
    whole = " ".join(wording.split())[:LONGEST_WORDING]
    return tuple(parts) if len(parts) == targets and all(parts) else (whole,) * targets

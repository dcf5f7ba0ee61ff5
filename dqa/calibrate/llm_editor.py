"""Any model with OpenAI's chat interface as editor."""

from __future__ import annotations

import json
from typing import Any, Protocol

from dqa.calibrate.editor import Edit, EditRequest, Target
from dqa.calibrate.measured import plain
from dqa.calibrate.proposal import NothingNew, edit_of
from dqa.calibrate.safe import in_quotes
from dqa.calibrate.wording import wordings
from dqa.errors import InvalidPrompt, UnavailableError
from dqa.models.roles import VisionLanguageModel

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"wording": {"type": "string"}, "prompt": {"type": "string"}},
    "required": ["wording", "prompt"],
    "additionalProperties": False,
}


class Writer(Protocol):
    """What is asked of the model: an object by a schema, from text alone."""

    write = VisionLanguageModel.write


class LlmEditor:
    """Asks a model for the whole new prompt, and for the words that are to make the difference.

    Args:
        model: who writes.
        name: the model's name.
    """

    def __init__(self, model: Writer, name: str) -> None:
        self._model = model
        self._name = name

    @property
    def name(self) -> str:
        return f"llm:{self._name}"

    def propose(self, request: EditRequest) -> Edit | None:
        """See :class:`~dqa.calibrate.editor.Editor`; a prompt that was tried is asked for once more, then given up."""
        problem: InvalidPrompt | None = None
        for _ in range(2):
            answer = self._model.write([], _instruction(request, problem), _SCHEMA) or {}
            try:
                return edit_of(answer.get("prompt"), answer.get("wording"), request)
            except InvalidPrompt as error:
                problem = error
        if problem is None or isinstance(problem, NothingNew):
            return None
        raise UnavailableError(
            f"the editor gave no usable prompt, asked twice: {problem.what}",
            fix="use another model, or --editor rules",
        )


def _instruction(request: EditRequest, problem: InvalidPrompt | None) -> str:
    corrections = "\n".join(_line(target) for target in request.targets)
    tried = ", ".join(in_quotes(wording) for wording in request.used) or "none"
    again = f"\nYour last answer could not be used: {problem.what}. Answer again." if problem else ""
    return (
        "You correct the prompt of an image or video generator. Change it only where it concerns what is named below, "
        "and leave everything else word for word as it is. Give the whole new prompt, and under wording the few words "
        "that are to make the difference.\n"
        f"The prompt, as JSON: {json.dumps(request.prompt, ensure_ascii=False)}\nTo be corrected:\n{corrections}\n"
        f"Wordings that were tried before and did not help enough: {tried}{again}"
    )


def _line(target: Target) -> str:
    ways = ", ".join(in_quotes(way) for way in wordings(target.axis, plain(target.ref))[:3])
    return (
        f"- {target.axis.name} ({target.axis.definition}): the picture shows {in_quotes(plain(target.gen))}, it should "
        f"show {in_quotes(plain(target.ref))}; ways to say it: {ways}"
    )

"""What a vision-language model is told, and the JSON schemas its answers must fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dqa.calibrate.axes import Axis
from dqa.calibrate.measured import plain
from dqa.calibrate.reference import Reference
from dqa.calibrate.safe import in_quotes
from dqa.calibrate.verdicts import VERDICTS

NOT_STATED = "not stated"
NONE = "none"

_DESCRIPTION_LENGTH = 2000


def describing(noun: str, axes: Sequence[Axis], problem: str) -> str:
    """Asks for a paragraph on the pictures, and a value an axis."""
    return (
        f"Describe what {_shown(noun)}. First a description: one coherent paragraph of at most 120 words on everything "
        "that is visible. Then for each axis below its value in a few words; "
        f'"{NONE}" where the picture has nothing of the kind. Say only what is visible; give no grades and no advice.'
        f"{_problem(problem)}\nAxes:\n{_listed(axes)}"
    )


def completing(description: str, axes: Sequence[Axis], problem: str) -> str:
    """Asks for a text's value on each axis."""
    return (
        "A text describes a picture that you do not see. For each axis below write the value that the text states, in "
        f'a few words; "{NOT_STATED}" where it says nothing on it. Add nothing of your own.'
        f"{_problem(problem)}\nThe text: {in_quotes(description, _DESCRIPTION_LENGTH)}\nAxes:\n{_listed(axes)}"
    )


def comparing(noun: str, reference: Reference, axes: Sequence[Axis], problem: str) -> str:
    """Asks what the pictures show on each axis, and whether that agrees with the reference."""
    lines = "\n".join(f"{_line(axis)} Reference: {in_quotes(plain(reference.values[axis.name]))}" for axis in axes)
    return (
        f"Compare what {_shown(noun)} with a reference in words. For each axis below write under gen what is visible, "
        f'in a few words ("{NONE}" where there is nothing of the kind), and under verdict: match if that agrees with '
        "the reference on this axis, partial if it agrees in part, mismatch if it does not. Judge each axis by its "
        f"definition alone. Give no numbers as verdict, no grades and no advice.{_problem(problem)}\n"
        f"The reference as a whole: {in_quotes(reference.description, _DESCRIPTION_LENGTH)}\nAxes:\n{lines}"
    )


def values_schema(axes: Iterable[Axis], *extra: str, paragraph: bool) -> dict[str, Any]:
    """``{description?, axes: {axis: value}}``; ``extra`` are values that every axis may have."""
    values = _object({axis.name: _value(axis, extra) for axis in axes})
    return _object({"description": {"type": "string"}, "axes": values} if paragraph else {"axes": values})


def verdicts_schema(axes: Iterable[Axis]) -> dict[str, Any]:
    """``{axes: {axis: {gen, verdict}}}``; gen first, so that the model looks before it judges."""
    verdict = {"type": "string", "enum": list(VERDICTS)}
    one = {axis.name: _object({"gen": {"type": "string"}, "verdict": verdict}) for axis in axes}
    return _object({"axes": _object(one)})


def _value(axis: Axis, extra: Sequence[str]) -> dict[str, Any]:
    if not axis.values:
        return {"type": "string"}
    return {"type": "string", "enum": [*(value.name for value in axis.values), *extra]}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _shown(noun: str) -> str:
    return "this image shows" if noun == "image" else "these frames of one video, in their order, show"


def _listed(axes: Iterable[Axis]) -> str:
    return "\n".join(_line(axis) for axis in axes)


def _line(axis: Axis) -> str:
    choice = f" One of: {', '.join(value.name for value in axis.values)}." if axis.values else ""
    return f"- {axis.name}: {axis.definition}{choice}"


def _problem(problem: str) -> str:
    return f"\nYour last answer could not be used: {problem}. Answer again, by the schema." if problem else ""

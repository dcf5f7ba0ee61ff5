"""Getting a usable answer an axis out of a model: in portions, with one retry that names what was wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from dqa.calibrate.axes import Axis
from dqa.calibrate.reference import one_line
from dqa.calibrate.safe import in_quotes
from dqa.errors import UnavailableError

T = TypeVar("T")
Write = Callable[[Sequence[Axis], str], dict[str, Any] | None]
"""Asks the model about some axes, naming a problem if there was one; None when it gave no JSON object."""

PORTION = 14
"""Axes asked about at once: a small model loses count in longer answers."""

NO_OBJECT = "it was no JSON object by the schema"
_LONGEST = 200
_REFUSES = re.compile(
    r"\b(i['’]?m sorry|i am sorry|i can(?:no|['’])t|i am unable|i['’]m unable|as an ai|i won['’]t)\b", re.IGNORECASE
)


class Unfit(Exception):
    """What a model said on one axis can't be used; the text says why."""


@dataclass(slots=True)
class Filled(Generic[T]):
    """Axis -> what was made of the answer; axis -> why there is none; names that nobody asked for; the description."""

    found: dict[str, T] = field(default_factory=lambda: {})
    unfit: dict[str, str] = field(default_factory=dict[str, str])
    strangers: set[str] = field(default_factory=set[str])
    paragraph: str = ""


def fill(axes: Sequence[Axis], write: Write, read: Callable[[Axis, object], T]) -> Filled[T]:
    """Asks about every axis.

    Args:
        axes: which.
        write: asks the model.
        read: makes something of the answer on an axis, or raises :class:`Unfit`.

    Raises:
        UnavailableError: on no axis was there a usable answer, or the model can't be reached.
    """
    done: Filled[T] = Filled()
    for start in range(0, len(axes), PORTION):
        portion = axes[start : start + PORTION]
        _ask(portion, write, read, done, "")
        again = [axis for axis in portion if axis.name in done.unfit]
        if again:
            _ask(again, write, read, done, "; ".join(dict.fromkeys(done.unfit[axis.name] for axis in again)))
    if axes and not done.found:
        why = next(iter(done.unfit.values()))
        raise UnavailableError(
            f"the judge gave no usable answer, asked twice: {why}", fix="use another vision-language model"
        )
    return done


def _ask(axes: Sequence[Axis], write: Write, read: Callable[[Axis, object], T], done: Filled[T], problem: str) -> None:
    answer = write(axes, problem)
    given: object = None if answer is None else answer.get("axes")
    if not isinstance(given, dict):
        done.unfit.update({axis.name: NO_OBJECT for axis in axes})
        return
    done.paragraph = done.paragraph or _paragraph(answer)
    said = cast("dict[str, Any]", given)
    done.strangers.update(one_line(str(name), 40) for name in said.keys() - {axis.name for axis in axes})
    for axis in axes:
        try:
            done.found[axis.name] = read(axis, said.get(axis.name))
            done.unfit.pop(axis.name, None)
        except Unfit as error:
            done.unfit[axis.name] = f"{axis.name}: {error}"


def _paragraph(answer: Mapping[str, Any] | None) -> str:
    said = (answer or {}).get("description")
    return one_line(said, 2000) if isinstance(said, str) and not _REFUSES.search(said) else ""


def text_of(value: object, what: str) -> str:
    """A text that an answer must hold.

    Raises:
        Unfit: there is none, it is empty, or a refusal.
    """
    if value is None:
        raise Unfit(f"{what} is missing")
    if not isinstance(value, str) or not value.strip():
        raise Unfit(f"{what} is not a text")
    if _REFUSES.search(value):
        raise Unfit("the model refused")
    return one_line(value, _LONGEST)


def entry_of(value: object) -> Mapping[str, Any]:
    """A JSON object that an answer must hold for an axis.

    Raises:
        Unfit: it is missing, or something else.
    """
    if value is None:
        raise Unfit("it is missing")
    if not isinstance(value, dict):
        raise Unfit(f"{in_quotes(str(value), 40)} is no object with gen and verdict")
    return cast("dict[str, Any]", value)

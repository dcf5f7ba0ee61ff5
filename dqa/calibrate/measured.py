"""A judge without a model: it measures what pixels can tell, abstains on the rest, and says so. Deterministic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from dqa.calibrate.axes import Axes, Axis, Value
from dqa.calibrate.judge import Comparison, Description
from dqa.calibrate.pixels import Measure, Measured, measure
from dqa.calibrate.reference import Reference
from dqa.calibrate.verdicts import Judged, Verdict, judged, normalised
from dqa.calibrate.wording import first_wording
from dqa.errors import InputError
from dqa.measure.observation import Observation
from dqa.record import ModelIdentity

IDENTITY = ModelIdentity(
    id="measurement-judge",
    licence="Apache-2.0",
    weakness="measures colour, light, sharpness, what stands out from the border, and motion; recognises nothing",
)
NOT_MEASURED = "pixels alone do not tell it"

_FIGURE = re.compile(r"^(.*?)\s*\((-?\d+(?:\.\d+)?)\)$")


class MeasuredJudge:
    """Judges the axes of a set that have a ``measure``.

    Args:
        axes: the set.
    """

    def __init__(self, axes: Axes) -> None:
        self._axes = axes

    @property
    def identity(self) -> ModelIdentity:
        return IDENTITY

    def describe(self, picture: Observation) -> Description:
        """See :class:`~dqa.calibrate.judge.Judge`; a value on a scale carries its figure: ``dark (0.281)``."""
        values, unjudged = measured_values(self._axes, measure(picture))
        said = [first_wording(axis, plain(values[axis.name])) for axis in self._axes if axis.name in values]
        return Description(Reference(f"A picture with: {', '.join(said)}.", values), unjudged, self._notes())

    def complete(self, reference: Reference) -> Reference:
        """See :class:`~dqa.calibrate.judge.Judge`: words are not understood, only lines ``axis: value``."""
        axes = [axis for axis in self._axes if axis.measure is not None]
        readable = [axis for axis in axes if read(axis, reference.values.get(axis.name, "")) is not None]
        if not readable:
            names = ", ".join(axis.name for axis in axes) or "none"
            raise InputError(
                f"the reference states no value that pixels can tell, on any of {names}",
                fix="add lines such as 'brightness: dark', or use --profile remote-vlm",
            )
        return reference

    def compare(self, reference: Reference, picture: Observation) -> Comparison:
        """See :class:`~dqa.calibrate.judge.Judge`."""
        found = measure(picture)
        return Comparison(tuple(compare_axis(axis, reference, found) for axis in self._axes), self._notes())

    def _notes(self) -> tuple[str, ...]:
        rest = [axis.name for axis in self._axes if axis.measure is None]
        return (f"judged without a model; not judged: {', '.join(rest)}",) if rest else ()


def measured_values(axes: Iterable[Axis], found: Mapping[Measure, Measured]) -> tuple[dict[str, str], dict[str, str]]:
    """Axis -> value, and axis -> why it has none."""
    values: dict[str, str] = {}
    unjudged: dict[str, str] = {}
    for axis in axes:
        one = found[axis.measure] if axis.measure is not None else Measured(why_not=NOT_MEASURED)
        text = say(axis, one)
        if text is None:
            unjudged[axis.name] = one.why_not or f"its value {one.name} is none of the axis's"
        else:
            values[axis.name] = text
    return values, unjudged


def compare_axis(axis: Axis, reference: Reference, found: Mapping[Measure, Measured]) -> Judged:
    """One axis by its measure; without a verdict where the reference or the pixels say nothing on it."""
    ref = reference.values.get(axis.name)
    if axis.measure is None:
        return Judged(axis.name, None, ref, None, NOT_MEASURED)
    gen = say(axis, found[axis.measure])
    if gen is None:
        return Judged(axis.name, None, ref, None, found[axis.measure].why_not or "its value is none of the axis's")
    if ref is None:
        return Judged(axis.name, None, None, gen, "the reference does not say")
    verdict = _verdict(axis, ref, gen)
    if verdict is None:
        names = ", ".join(value.name for value in axis.values)
        return Judged(axis.name, None, ref, gen, f"the reference's value is none of {names}")
    return judged(axis.name, verdict, ref, gen)


def say(axis: Axis, found: Measured) -> str | None:
    """A measure in the axis's words, with its figure where there is one; None where it has no word for it."""
    if found.number is None:
        return found.name if found.name is not None and axis.value(found.name) else None
    if not axis.scaled:
        return None
    value = next(v for v in axis.values if v.upto is None or found.number < v.upto)
    return f"{value.name} ({found.number:.3f})"


def plain(text: str) -> str:
    """A value without its figure.

    >>> plain("very dark (0.281)")
    'very dark'
    """
    found = _FIGURE.match(text)
    return found[1] if found else text


def read(axis: Axis, text: str) -> tuple[Value, float | None] | None:
    """The value that a text names, and its figure if it has one; None when it names none."""
    found = _FIGURE.match(text.strip())
    name = normalised(found[1] if found else text)
    value = next((v for v in axis.values if name in {normalised(said) for said in (v.name, *v.words)}), None)
    return None if value is None or not name else (value, float(found[2]) if found else None)


def _verdict(axis: Axis, ref: str, gen: str) -> Verdict | None:
    wanted, shown = read(axis, ref), read(axis, gen)
    if wanted is None or shown is None:
        return None
    same = wanted[0].name == shown[0].name
    if wanted[1] is not None and shown[1] is not None:
        apart = abs(wanted[1] - shown[1])
        if apart <= axis.tolerance:
            return "match"
        return "partial" if same or apart <= axis.partial else "mismatch"
    if same:
        return "match"
    return "partial" if _near(axis, wanted[0], shown[0]) else "mismatch"


def _near(axis: Axis, one: Value, other: Value) -> bool:
    """Neighbours on a scale; elsewhere as the values themselves say."""
    if axis.scaled:
        return abs(axis.values.index(one) - axis.values.index(other)) == 1
    return other.name in one.near or one.name in other.near

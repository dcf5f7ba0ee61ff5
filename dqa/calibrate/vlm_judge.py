"""A vision-language model as judge: it says what it sees and a verdict an axis; what it says is checked before use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from dqa.calibrate import instructions as ask
from dqa.calibrate.axes import Axes, Axis
from dqa.calibrate.filling import Filled, Unfit, entry_of, fill, text_of
from dqa.calibrate.judge import Comparison, Description
from dqa.calibrate.measured import compare_axis, measured_values
from dqa.calibrate.pixels import OVER_TIME, measure
from dqa.calibrate.reference import Reference
from dqa.calibrate.safe import FRAMES_HOLD_TEXT, WORDS_REMOVED, in_quotes, screened
from dqa.calibrate.verdicts import VERDICTS, Judged, Verdict, judged, normalised
from dqa.channels.seeing import even_choice
from dqa.clip.frame import Image
from dqa.errors import InputError
from dqa.measure.observation import Observation
from dqa.models.roles import VisionLanguageModel
from dqa.models.vlm.safety import FRAME_QUESTION
from dqa.record import ModelIdentity

FRAMES = 6
"""Frames of a video that the model sees, even in time."""

_NOT_STATED = frozenset(map(normalised, (ask.NOT_STATED, "unspecified", "unknown", "not specified", "n/a")))


class VlmJudge:
    """Judges by a model; what happens over time is measured.

    Args:
        axes: the set.
        vlm: the model.
        identity: how reports name it.
    """

    def __init__(self, axes: Axes, vlm: VisionLanguageModel, identity: ModelIdentity) -> None:
        self._axes = axes
        self._vlm = vlm
        self._identity = identity
        self._seen = [axis for axis in axes if axis.measure not in OVER_TIME]
        self._timed = [axis for axis in axes if axis.measure in OVER_TIME]

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    def describe(self, picture: Observation) -> Description:
        """See :class:`~dqa.calibrate.judge.Judge`."""
        images, noun = _images(picture), picture.media.kind

        def write(axes: Sequence[Axis], problem: str) -> dict[str, Any] | None:
            schema = ask.values_schema(axes, ask.NONE, paragraph=True)
            return self._vlm.write(images, ask.describing(noun, axes, problem), schema)

        filled = fill(self._seen, write, _value)
        timed, still = measured_values(self._timed, measure(picture) if self._timed else {})
        both = {**filled.found, **timed}
        values = {name: both[name] for name in self._axes.names if name in both}
        # A model that leaves the paragraph out has still given its values: they say the same in fewer words.
        paragraph = filled.paragraph or "; ".join(f"{name}: {value}" for name, value in values.items())
        reference = Reference(paragraph, values)
        reference, removed = screened(reference)
        tampered = removed or self._sign(images, noun)
        return Description(reference, {**filled.unfit, **still}, _notes(filled, tampered, removed), tampered)

    def complete(self, reference: Reference) -> Reference:
        """See :class:`~dqa.calibrate.judge.Judge`; the model reads the text once, without seeing a picture."""
        clean, _ = screened(reference)
        open_axes = [axis for axis in self._axes if axis.name not in clean.values]
        if not open_axes or not clean.description:
            return _with_values(clean, clean.values)

        def write(axes: Sequence[Axis], problem: str) -> dict[str, Any] | None:
            schema = ask.values_schema(axes, ask.NOT_STATED, paragraph=False)
            return self._vlm.write([], ask.completing(clean.description, axes, problem), schema)

        filled = fill(open_axes, write, _value)
        stated = {name: value for name, value in filled.found.items() if normalised(value) not in _NOT_STATED}
        values = {**clean.values, **stated}
        return _with_values(clean, {name: values[name] for name in self._axes.names if name in values})

    def compare(self, reference: Reference, picture: Observation) -> Comparison:
        """See :class:`~dqa.calibrate.judge.Judge`."""
        clean, removed = screened(reference)
        images, noun = _images(picture), picture.media.kind
        wanted = [axis for axis in self._seen if axis.name in clean.values]

        def write(axes: Sequence[Axis], problem: str) -> dict[str, Any] | None:
            return self._vlm.write(images, ask.comparing(noun, clean, axes, problem), ask.verdicts_schema(axes))

        filled = fill(wanted, write, partial(_judged, clean.values))
        found = measure(picture) if self._timed else {}
        sign = self._sign(images, noun)
        axes = [self._axis(axis, clean, filled, found) for axis in self._axes]
        notes = [WORDS_REMOVED] if removed else []
        return Comparison(
            axes=tuple(_bounded(one) for one in axes) if sign else tuple(axes),
            notes=(*notes, *_notes(filled, sign, removed=False)),
            tampered=sign or removed,
        )

    def _axis(self, axis: Axis, reference: Reference, filled: Filled[Judged], found: Mapping[Any, Any]) -> Judged:
        if axis in self._timed:
            return compare_axis(axis, reference, found)
        ref = reference.values.get(axis.name)
        if ref is None:
            return Judged(axis.name, None, None, None, "the reference does not say")
        return filled.found.get(axis.name) or Judged(axis.name, None, ref, None, filled.unfit[axis.name])

    def _sign(self, images: Sequence[Image], noun: str) -> bool:
        """Whether the pictures hold text that tells a judge what to answer."""
        (answer,) = self._vlm.ask(images, [FRAME_QUESTION.format(noun=noun)])
        return answer is not None and answer.p_yes > 0.5


def _images(picture: Observation) -> list[Image]:
    shown = even_choice(picture.stills, FRAMES) or [picture.stills[picture.representative]]
    return [frame.image for frame in shown]


def _value(axis: Axis, said: object) -> str:
    return text_of(said, "its value")


def _judged(values: Mapping[str, str], axis: Axis, said: object) -> Judged:
    entry = entry_of(said)
    gen = text_of(entry.get("gen"), "gen")
    return judged(axis.name, _verdict(entry.get("verdict")), values[axis.name], gen)


def _verdict(said: object) -> Verdict:
    """One of the three words, alone: a grade or a number is none, and is not read as one."""
    plain = said.strip().lower() if isinstance(said, str) else None
    for verdict in VERDICTS:
        if plain == verdict:
            return verdict
    raise Unfit(f"its verdict is {in_quotes(str(said), 40)}, not match, partial or mismatch")


def _bounded(one: Judged) -> Judged:
    return replace(one, verdict="partial") if one.verdict == "match" else one


def _with_values(reference: Reference, values: Mapping[str, str]) -> Reference:
    if not values:
        raise InputError(
            "the reference says nothing on any axis", fix="describe the picture, or add lines such as 'mood: calm'"
        )
    return Reference(reference.description, values)


def _notes(filled: Filled[Any], sign: bool, removed: bool) -> tuple[str, ...]:
    notes: list[str] = [WORDS_REMOVED] if removed else []
    notes += [FRAMES_HOLD_TEXT] if sign and not removed else []
    return (*notes, *_strangers(sorted(filled.strangers)))


def _strangers(names: Iterable[str]) -> list[str]:
    told = ", ".join(list(names)[:5])
    return [f"the model also spoke of what is no axis ({told}); left out"] if told else []

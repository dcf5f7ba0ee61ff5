"""Label Studio's pairwise tasks, as it exports and imports them.

A task is ``{"id", "data": {...}, "annotations": [{"id", "was_cancelled", "created_at", "result": [...]}]}``, and a
result of type ``pairwise`` says ``{"selected": "left" | "right"}``. Of the data we read ``a`` and ``b`` (evaluation
ids or records), ``left`` (which of them is shown on the left; default ``a``), ``test_id`` and ``user``. The template
that goes with it is :data:`TEMPLATE`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from pydantic import JsonValue

from dqa.errors import InputError
from dqa.exchange.choice import Row, Side, ToldChoice, clip, name, side, timestamp, user
from dqa.record import EvaluationRecord
from dqa.store.selections import Selection

TEMPLATE = """\
<View>
  <Header value="$prompt"/>
  <Pairwise name="preference" toName="left,right"/>
  <View style="display: flex; gap: 1em">
    <Video name="left" value="$video_left"/>
    <Video name="right" value="$video_right"/>
  </View>
</View>
"""
"""The labelling interface that these tasks are made for."""

_OTHER: dict[str, Side] = {"a": "b", "b": "a"}


def read(task: Row) -> list[ToldChoice]:
    """The choices of a task: one for each annotation that was not cancelled.

    The first is named after the task (``test_id``, else ``label-studio-<task>``), further ones also after the
    annotation.
    """
    data = task.get("data")
    if not isinstance(data, dict):
        raise InputError('the task has no "data"', fix="export from Label Studio as JSON")
    named = name(data, "test_id") if "test_id" in data else f"label-studio-{name(task, 'id')}"
    found = list(_selected(task))
    if not found:
        raise InputError("the task has no pairwise choice", fix="annotate it, and export as JSON")
    left = side(data.get("left"), "left") or "a"
    choices: list[ToldChoice] = []
    for annotation, selected in found:
        chosen: Side = left if selected == "left" else _OTHER[left]
        test_id = f"{named}-{name(annotation, 'id')}" if choices else named
        when = timestamp(annotation.get("created_at"))
        choices.append(ToldChoice(test_id, clip(data, "a"), clip(data, "b"), chosen, user(data), when, left))
    return choices


def _selected(task: Row) -> Iterator[tuple[Row, str]]:
    """Annotations with what they selected."""
    for annotation in _rows(task.get("annotations")):
        if annotation.get("was_cancelled"):
            continue
        for result in _rows(annotation.get("result")):
            value = result.get("value")
            selected = value.get("selected") if isinstance(value, dict) else None
            if result.get("type") == "pairwise" and selected in ("left", "right"):
                yield annotation, cast("str", selected)
                break


def _rows(value: JsonValue) -> Iterator[Row]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def write(choice: Selection, a: EvaluationRecord | None, b: EvaluationRecord | None) -> dict[str, JsonValue]:
    """A choice between two clips as an annotated task; records that are not there leave the names of the clips empty.

    Blind, as the task was: no score, no grade, no reasons.
    """
    left: Side = choice.left or "a"
    shown = {"a": _called(a), "b": _called(b)}
    told = a or b
    selected = "left" if choice.chosen == left else "right"
    result: dict[str, JsonValue] = {
        "from_name": "preference",
        "to_name": "left",
        "type": "pairwise",
        "value": {"selected": selected},
    }
    return {
        "data": {
            "test_id": choice.test_id,
            "user": choice.user,
            "prompt": "" if told is None else told.prompt,
            "a": choice.a,
            "b": choice.b,
            "left": left,
            "video_left": shown[left],
            "video_right": shown[_OTHER[left]],
        },
        "annotations": [{"result": [result]}],
    }


def _called(record: EvaluationRecord | None) -> str:
    return "" if record is None else record.reproduce.media

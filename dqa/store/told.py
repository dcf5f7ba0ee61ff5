"""What a training step told, as it is read back: each part that is damaged is left out, and the rest stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import structlog
from pydantic import ConfigDict, Field, JsonValue, TypeAdapter

from dqa.taste.taste import HeldOut

log = structlog.get_logger(__name__)

Output = dict[str, JsonValue]
"""What a step tells: ``{training_step, loss, new_patterns, model_confidence, ...}`` (mission 1.4)."""

LEAST: Output = {
    "loss": None,
    "new_patterns": [],
    "model_confidence": 0.0,
    "choices_seen": 0,
    "new_choices": 0,
    "unresolved": [],
    "patterns": [],
    "loss_trend": [],
}
"""What any output holds; of a damaged one this is all that is left."""

FIRST: Output = {
    **LEAST,
    "training_step": 0,
    "unresolved_because": {},
    "winning_patterns": [],
    "held_out": None,
    "promoted": False,
    "serving": None,
    "profile": None,
    "gate": "there is nothing to learn from yet",
}
"""What is told before the first step."""

_Count = Annotated[int, Field(ge=0, le=2**53)]
_CountOrNone = Annotated[int | None, Field(ge=0, le=2**53)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_NumberOrNone = Annotated[float | None, Field(allow_inf_nan=False)]
_KINDS: dict[str, Any] = {
    "loss": _NumberOrNone,
    "new_patterns": list[str],
    "model_confidence": _Number,
    "choices_seen": _Count,
    "new_choices": _Count,
    "unresolved": list[str],
    "unresolved_because": dict[str, _Count],
    "patterns": list[str],
    "winning_patterns": list[str],
    "loss_trend": list[_NumberOrNone],
    "promoted": bool,
    "serving": _CountOrNone,
    "profile": str | None,
    "gate": str | None,
}
_PARTS: dict[str, TypeAdapter[Any]] = {
    **{name: TypeAdapter(kind, config=ConfigDict(strict=True)) for name, kind in _KINDS.items()},
    "held_out": TypeAdapter(HeldOut | None),
}


def read_output(text: str, version: int, *, promoted: bool) -> Output:
    """The output that was kept as ``text``; what is missing in it stays missing, but for :data:`LEAST`.

    Args:
        text: JSON.
        version: of the step.
        promoted: whether it came to serve, for an output in which that is damaged.
    """
    found = _parsed(text)
    sound = {name: value for name, value in found.items() if _is_sound(name, value)}
    damaged = sorted(_PARTS.keys() & (found.keys() - sound.keys()) if found else LEAST)
    if damaged:
        log.warning("what a training step told can't be read", version=version, parts=damaged)
    mended = {name: FIRST[name] for name in damaged if name not in ("promoted", "gate")}
    return {**LEAST, "promoted": promoted, **mended, **sound, "training_step": version}


def _parsed(text: str) -> Mapping[str, JsonValue]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_sound(name: str, value: JsonValue) -> bool:
    """Whether a part is what it should be; a part that nobody knows is not."""
    try:
        _PARTS[name].validate_python(value)
    except (KeyError, ValueError, OverflowError):
        return False
    return True

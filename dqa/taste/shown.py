"""What an evaluation's raw values say of how the clip looks and what it shows; nothing where they don't."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from dqa.record import ChannelName, ChannelResult

EMBEDDING = 16
"""Values of ``benchmark.raw["embedding"]["values"]``: what the clip shows, reduced."""

_FAR = 20.0
"""In deviations of real clips: a value beyond it was not made by our projection."""

Results = Mapping[ChannelName, ChannelResult]


@dataclass(frozen=True, slots=True)
class Embedding:
    """What a clip shows: :data:`EMBEDDING` values of about unit variance, and the model they are of."""

    model: str
    values: tuple[float, ...]


def look(results: Results) -> dict[str, float]:
    """``visionreward.raw["look"]``: name -> value in [0, 1]; what is missing or no such number is left out."""
    numbers = {name: _number(value) for name, value in _part(results, "visionreward", "look").items()}
    return {name: value for name, value in numbers.items() if value is not None and 0 <= value <= 1}


def embedding(results: Results) -> Embedding | None:
    """``benchmark.raw["embedding"]``; None when missing or malformed."""
    found = _part(results, "benchmark", "embedding")
    model, values = found.get("model"), found.get("values")
    if not isinstance(model, str) or not isinstance(values, list) or len(values) != EMBEDDING:
        return None
    numbers = [number for value in values if (number := _number(value)) is not None and abs(number) <= _FAR]
    return Embedding(model, tuple(numbers)) if len(numbers) == EMBEDDING else None


def _part(results: Results, channel: ChannelName, key: str) -> dict[str, JsonValue]:
    result = results.get(channel)
    found = result.raw.get(key) if result is not None else None
    return found if isinstance(found, dict) else {}


def _number(value: JsonValue) -> float | None:
    """A finite number; truth values are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None

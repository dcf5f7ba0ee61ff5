"""A result's scores as its channel gave them: what a taste learns from, so that fits come and go without it.

Calibration and fitted checklist weights change what a score of 0.6 means. Choices made before and after would not
compare, so whoever learns from scores over time reads them here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from pydantic import JsonValue

from dqa.record import PUBLISHED, UNCALIBRATED, ChannelResult


def uncalibrated(result: ChannelResult) -> float | None:
    """The channel's own score (by fitted checklist weights, where there were some)."""
    return _unit(result.raw.get(UNCALIBRATED), result.score)


def unfitted_score(result: ChannelResult) -> float | None:
    """The score that the channel would have given without any fit."""
    return _unit(_published(result).get("score"), uncalibrated(result))


def unfitted_axes(result: ChannelResult) -> dict[str, float | None]:
    """Likewise of VisionReward's axes; empty for the other channels."""
    axes = _published(result).get("axes")
    known: Mapping[str, JsonValue] = axes if isinstance(axes, dict) else {}
    return {name: _unit(known.get(name), axis.score) for name, axis in (result.axes or {}).items()}


def _published(result: ChannelResult) -> Mapping[str, JsonValue]:
    found = result.raw.get(PUBLISHED)
    return found if isinstance(found, dict) else {}


def _unit(value: JsonValue, otherwise: float | None) -> float | None:
    """``value`` if it is a score; a record from elsewhere may hold anything there."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1:
        return float(value)
    return otherwise

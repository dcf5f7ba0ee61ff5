"""Maps from a measurement to [0, 1], and means that a bad part pulls down. Constants: docs/design."""

from __future__ import annotations

from collections.abc import Iterable

_FLOOR = 0.02


def falling(value: float, half: float, power: float) -> float:
    """1 at 0, 0.5 at ``half``, towards 0 above; the steeper the higher ``power``. Strictly decreasing for value > 0."""
    return 1.0 / (1.0 + (max(0.0, value) / half) ** power)


def rising(value: float, half: float, power: float) -> float:
    """0 at 0, 0.5 at ``half``, towards 1 above; the steeper the higher ``power``. Strictly increasing for value > 0."""
    return 1.0 - falling(value, half, power)


def soft_min(values: Iterable[float]) -> float | None:
    """Power mean of exponent -2: near the mean while all are good, near the worst when one is bad.

    Monotone in every value; scores under 0.02 count as 0.02, so that one zero does not hide the others. None of none.
    """
    parts = [max(_FLOOR, value) for value in values]
    if not parts:
        return None
    if max(parts) <= _FLOOR:
        return 0.0
    return float((sum(part**-2 for part in parts) / len(parts)) ** -0.5)

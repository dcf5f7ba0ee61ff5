"""The learning curve as shapes: an SVG's coordinates from accuracies, with the interval that so few choices leave."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dqa.taste.taste import CurvePoint
from dqa.taste.wilson import wilson

WIDTH, HEIGHT = 720.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 54.0, 16.0, 16.0, 46.0
"""The plot's own units; the margins hold the axes' words."""

AT_ONCE = 25
"""Choices behind one dot where there are as many: of five alone, chance decides how many are right."""

_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Dot:
    """One point of the curve.

    Attributes:
        x, y: where it is; ``high_y`` and ``low_y`` are the ends of its 90 % interval.
        choices: up to which choice.
        pairs: how many choices before that it tells of.
        accuracy, brier: of those.
    """

    x: float
    y: float
    high_y: float
    low_y: float
    choices: int
    pairs: int
    accuracy: float
    brier: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A learning curve. Accuracy runs from 0 at the bottom to 1 at the top; ``chance_y`` is one half."""

    dots: tuple[Dot, ...]
    path: str
    chance_y: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def learning_curve(points: Sequence[CurvePoint]) -> Plot | None:
    """The plot of a curve; None without points."""
    if not points:
        return None
    most = max(point.choices for point in points)
    dots = tuple(_dot(_up_to(points[: i + 1]), points[i].choices, most) for i in range(len(points)))
    path = "".join(f"{'L' if i else 'M'}{dot.x:.1f} {dot.y:.1f}" for i, dot in enumerate(dots))
    across = tuple(Tick(_x(n, most), str(n)) for n in _round_numbers(most))
    up = tuple(Tick(_y(share / 100), f"{share} %") for share in (0, 25, 50, 75, 100))
    return Plot(dots, path, _y(0.5), across, up)


def _up_to(points: Sequence[CurvePoint]) -> list[CurvePoint]:
    """The last points that make up :data:`AT_ONCE` choices, or all."""
    taken: list[CurvePoint] = []
    for point in reversed(points):
        if sum(one.pairs for one in taken) >= AT_ONCE:
            break
        taken.append(point)
    return taken


def _dot(points: Sequence[CurvePoint], choices: int, most: int) -> Dot:
    pairs = sum(point.pairs for point in points)
    accuracy = math.fsum(point.accuracy * point.pairs for point in points) / max(1, pairs)
    brier = math.fsum(point.brier * point.pairs for point in points) / max(1, pairs)
    low, high = wilson(round(accuracy * pairs), pairs) if pairs else (0.0, 1.0)
    return Dot(_x(choices, most), _y(accuracy), _y(high), _y(low), choices, pairs, accuracy, brier)


def _x(choices: int, most: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * choices / max(1, most)


def _y(share: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - share)


def _round_numbers(most: int) -> list[int]:
    """0 and up to six round numbers up to ``most``.

    >>> _round_numbers(7), _round_numbers(130)
    ([0, 2, 4, 6], [0, 50, 100])
    """
    power = 10 ** max(0, math.floor(math.log10(max(1, most))) - 1)
    step = next(power * s * ten for ten in (1, 10, 100) for s in _STEPS if most <= power * s * ten * 5)
    return list(range(0, most + 1, step))

"""Cycles per accepted clip over time as shapes: a dot a window of runs, with its interval where it has one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dqa.service.web.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Tick
from dqa.store.refinement_figures import Figures, Mean, Window

_MOST_TICKS = 6


@dataclass(frozen=True, slots=True)
class CycleDot:
    """One window: where its mean lies, its interval (None where there is none), and its runs as counted from 1."""

    x: float
    y: float
    low_y: float | None
    high_y: float | None
    first: int
    last: int
    mean: Mean


@dataclass(frozen=True, slots=True)
class CyclesPlot:
    """The windows with an accepted clip, oldest on the left; the scale begins at 1 cycle, at the bottom."""

    dots: tuple[CycleDot, ...]
    path: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def cycles_plot(figures: Figures) -> CyclesPlot | None:
    """The plot of a user's figures; None where no clip was accepted."""
    parts = list(_numbered(figures))
    shown = [(first, part, part.cycles) for first, part in parts if part.cycles is not None]
    if not shown:
        return None
    top = math.ceil(max(2.0, *(mean.value if mean.high is None else mean.high for _, _, mean in shown)))
    runs = sum(part.runs for _, part in parts)
    dots = tuple(_dot(first, part, mean, runs, top) for first, part, mean in shown)
    path = "".join(f"{'L' if i else 'M'}{dot.x:.1f} {dot.y:.1f}" for i, dot in enumerate(dots))
    every = math.ceil(len(dots) / _MOST_TICKS)
    across = tuple(Tick(dot.x, str(dot.last)) for dot in dots[::every])
    step = math.ceil((top - 1) / _MOST_TICKS)
    up = tuple(Tick(_y(value, top), str(value)) for value in range(1, top + 1, step))
    return CyclesPlot(dots, path, across, up)


def _numbered(figures: Figures) -> list[tuple[int, Window]]:
    """Each window with the number of its first run."""
    first, found = 1, list[tuple[int, Window]]()
    for part in figures.windows:
        found.append((first, part))
        first += part.runs
    return found


def _dot(first: int, part: Window, mean: Mean, runs: int, top: int) -> CycleDot:
    last = first + part.runs - 1
    x = LEFT + (WIDTH - LEFT - RIGHT) * last / runs
    low, high = (None if value is None else _y(value, top) for value in (mean.low, mean.high))
    return CycleDot(x, _y(mean.value, top), low, high, first, last, mean)


def _y(cycles: float, top: int) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (top - cycles) / (top - 1)

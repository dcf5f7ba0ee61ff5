"""Figures of refinement: which share of briefs came to an accepted clip, and how many cycles that took, over time.

A run that ``failed`` (the generator or the evaluator was down) says nothing about prompts: it is counted, and left out
of the rest. No figure stands without the number of runs behind it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from pydantic import BaseModel, ConfigDict, Field

from dqa.taste.wilson import Z90, wilson

_FEWEST = 2
"""Values below which there is no spread to tell."""


@dataclass(frozen=True, slots=True)
class Run:
    """One refinement: when, how it ended, after how many cycles."""

    created: str
    outcome: str
    cycles: int


class _Figure(BaseModel):
    model_config = ConfigDict(frozen=True)


class Share(_Figure):
    """A share, and its 90 % interval after Wilson."""

    value: float = Field(ge=0, le=1)
    low: float
    high: float
    n: int = Field(ge=1, description="runs that ended with a verdict")


class Mean(_Figure):
    """A mean, and its 90 % interval after Student; the interval is null where n is 1, or where all values are equal."""

    value: float = Field(ge=1)
    low: float | None
    high: float | None
    n: int = Field(ge=1, description="accepted clips")


class Window(_Figure):
    """Some runs that follow one another."""

    first: str = Field(description="when the first of them was")
    last: str
    runs: int
    accepted: int
    review: int = Field(description="left to a person")
    exhausted: int = Field(description="no clip was good enough within the retries")
    failed: int = Field(description="ended by a fault; in no share")
    share: Share | None = Field(description="accepted clips of the runs with a verdict; null without any")
    cycles: Mean | None = Field(description="cycles of the accepted clips; null without any")


class Figures(_Figure):
    """All runs, and windows of ``window`` runs, the oldest first; the newest may hold fewer."""

    window: int
    all: Window | None = Field(description="null before the first run")
    windows: list[Window]


def figures(runs: Sequence[Run], window: int) -> Figures:
    """The figures of runs in the order they were.

    Args:
        runs: oldest first.
        window: how many runs to a window, >= 1.
    """
    parts = [runs[start : start + window] for start in range(0, len(runs), window)]
    return Figures(window=window, all=_window(runs) if runs else None, windows=[_window(part) for part in parts])


def _window(runs: Sequence[Run]) -> Window:
    count = {name: sum(run.outcome == name for run in runs) for name in ("accepted", "review", "exhausted", "failed")}
    return Window(
        first=runs[0].created,
        last=runs[-1].created,
        runs=len(runs),
        **count,
        share=_share(count["accepted"], len(runs) - count["failed"]),
        cycles=_mean([run.cycles for run in runs if run.outcome == "accepted"]),
    )


def _share(count: int, of: int) -> Share | None:
    if not of:
        return None
    low, high = wilson(count, of)
    return Share(value=count / of, low=low, high=high, n=of)


def _mean(values: Sequence[int]) -> Mean | None:
    """With Student's interval, cut at 1: no clip is made in fewer cycles."""
    if not values:
        return None
    mean = fmean(values)
    if len(set(values)) < _FEWEST:
        return Mean(value=mean, low=None, high=None, n=len(values))
    half = _student(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return Mean(value=mean, low=max(1.0, mean - half), high=mean + half, n=len(values))


def _student(freedom: int) -> float:
    """The 95 % quantile of Student's t: exact for 1 and 2 degrees of freedom, else Abramowitz and Stegun 26.7.5.

    >>> [round(_student(n), 2) for n in (1, 3, 10, 30)]
    [6.31, 2.35, 1.81, 1.7]
    """
    if freedom == 1:
        return 1 / math.tan(0.05 * math.pi)
    if freedom == 2:
        return 0.9 / math.sqrt(2 * 0.95 * 0.05)
    x = Z90
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + sum(term / freedom**power for power, term in enumerate(terms, 1))

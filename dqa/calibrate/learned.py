"""Wordings that helped, or did not, kept for later runs: one file a run, so that none is counted twice."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from dqa.calibrate.climb import Climb
from dqa.calibrate.measured import plain
from dqa.report.files import write_text

Gains = dict[tuple[str, str, str], float]
"""(axis, value, wording) -> mean gain in the overall score; a wording that was reverted is under 0."""

_FAILED = 0.01
_MOST_RUNS = 500


def folder_of(home: Path) -> Path:
    """Where they lie in the state folder."""
    return home / "calibrate" / "wordings"


def load_gains(home: Path) -> Gains:
    """What the newest runs taught; a file that can't be read teaches nothing."""
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for path in sorted(folder_of(home).glob("*.json"))[-_MOST_RUNS:]:
        for axis, value, wording, gain in _rows(path):
            found[axis, value, wording].append(gain)
    return {key: sum(values) / len(values) for key, values in found.items()}


def save_gains(home: Path, run: str, climb: Climb) -> None:
    """Keeps what a run taught; the same run again replaces it.

    Raises:
        UnavailableError: the state folder can't be written to.
    """
    rows = list(taught(climb))
    if rows:
        folder_of(home).mkdir(parents=True, exist_ok=True)
        write_text(folder_of(home) / f"{run}.json", json.dumps(rows, ensure_ascii=True) + "\n")


def taught(climb: Climb) -> Iterator[tuple[str, str, str, float]]:
    """(axis, value, wording, gain) of every step on one axis; what two axes gained together tells of neither."""
    best = None
    for step in climb.steps:
        if best is not None and len(step.axes) == 1:
            change = climb.standing(step).overall - climb.standing(best).overall
            gain = change if step.number in climb.kept else min(change, 0.0) - _FAILED
            ref = best.judged[step.axes[0]].ref or ""
            yield step.axes[0], plain(ref), step.wordings[0], gain
        best = step if step.number in climb.kept else best


def _rows(path: Path) -> Iterator[tuple[str, str, str, float]]:
    try:
        data: object = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return
    for row in cast("list[object]", data) if isinstance(data, list) else ():
        parts = cast("list[Any]", row) if isinstance(row, list) else []
        if len(parts) == 4 and all(isinstance(part, str) for part in parts[:3]) and isinstance(parts[3], int | float):
            yield parts[0], parts[1], parts[2], float(parts[3])

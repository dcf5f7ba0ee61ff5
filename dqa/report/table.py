"""Several verdicts side by side: a row a score, a column a clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dqa.record import EvaluationRecord

MOST_COLUMNS = 6
"""With more clips than this, the best ones are put side by side."""


@dataclass(frozen=True, slots=True)
class Row:
    """One score over the clips. ``best`` are the columns that hold the highest one, where they differ."""

    name: str
    level: int
    scores: tuple[float | None, ...]
    best: frozenset[int]


def comparison(records: Sequence[EvaluationRecord]) -> list[Row]:
    """Final score, adherence, channels and their parts, over at most :data:`MOST_COLUMNS` clips."""
    shown = records[:MOST_COLUMNS]
    rows = [
        _row("final", 0, shown, lambda r: r.final),
        _row("prompt adherence", 0, shown, lambda r: r.prompt_adherence),
    ]
    for channel in dict.fromkeys(name for record in shown for name in record.channels):
        rows.append(_row(channel, 0, shown, lambda r, c=channel: r.channels[c].score if c in r.channels else None))
        parts = dict.fromkeys(part for record in shown for part in _parts(record, channel))
        rows.extend(_row(p.replace("_", " "), 1, shown, lambda r, c=channel, p=p: _parts(r, c).get(p)) for p in parts)
    return [row for row in rows if any(score is not None for score in row.scores)]


def _row(
    name: str, level: int, records: Sequence[EvaluationRecord], score: Callable[[EvaluationRecord], float | None]
) -> Row:
    scores = tuple(score(record) for record in records)
    known = [s for s in scores if s is not None]
    differ = len(known) > 1 and max(known) - min(known) >= 0.005
    return Row(name, level, scores, frozenset(i for i, s in enumerate(scores) if differ and s == max(known)))


def _parts(record: EvaluationRecord, channel: str) -> dict[str, float | None]:
    result = next((r for name, r in record.channels.items() if name == channel), None)
    if result is None:
        return {}
    scores: dict[str, float | None] = {name: part.score for name, part in (result.dimensions or {}).items()}
    scores.update({name: axis.score for name, axis in (result.axes or {}).items()})
    return scores

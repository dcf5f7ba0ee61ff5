"""What sets verdicts apart: which channels, dimensions and axes differ most between two records, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dqa.record import ChannelName, ChannelResult, EvaluationRecord
from dqa.synthesis import final_text

NOTABLE = 0.02
"""Scores closer than this are not said to set two clips apart."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """A score inside a channel: a benchmark dimension or a VisionReward axis."""

    name: str
    first: float
    second: float

    @property
    def gap(self) -> float:
        return self.first - self.second


@dataclass(frozen=True, slots=True)
class Difference:
    """One channel judged for both clips. ``weight`` is the mean of its weights in the two verdicts."""

    channel: ChannelName
    first: float
    second: float
    weight: float
    parts: tuple[Part, ...]

    @property
    def gap(self) -> float:
        return self.first - self.second


def rank(records: Sequence[EvaluationRecord]) -> list[int]:
    """Indexes of ``records``, best first: by final score, then adherence, then the order given; unscored ones last."""

    def key(index: int) -> tuple[float, float, int]:
        record = records[index]
        final = -1.0 if record.final is None else record.final
        adherence = -1.0 if record.prompt_adherence is None else record.prompt_adherence
        return (-final, -adherence, index)

    return sorted(range(len(records)), key=key)


def ranked(items: Sequence[T], records: Sequence[EvaluationRecord]) -> list[T]:
    """``items`` in the order of :func:`rank` of their ``records``."""
    return [items[index] for index in rank(records)]


def differences(first: EvaluationRecord, second: EvaluationRecord) -> list[Difference]:
    """Channels judged for both, by how much they move the total apart (weight x gap), largest first."""
    found: list[Difference] = []
    for name, one in first.channels.items():
        two = second.channels.get(name)
        if one.score is None or two is None or two.score is None:
            continue
        weight = (first.weights.get(name, 0.0) + second.weights.get(name, 0.0)) / 2
        found.append(Difference(name, one.score, two.score, weight, tuple(_parts(one, two))))
    return sorted(found, key=lambda d: (-abs(d.gap * d.weight), d.channel))


def unshared(first: EvaluationRecord, second: EvaluationRecord) -> list[tuple[ChannelName, bool]]:
    """Channels judged for one clip only; True when it is the first."""
    found: list[tuple[ChannelName, bool]] = []
    for name in first.channels.keys() | second.channels.keys():
        one, two = _score(first, name), _score(second, name)
        if (one is None) != (two is None):
            found.append((name, one is not None))
    return sorted(found)


def in_words(first: EvaluationRecord, second: EvaluationRecord, names: tuple[str, str], limit: int = 3) -> list[str]:
    """Sentences on why ``first`` ranks above ``second``; ``names`` are what to call the two."""
    gaps = [d for d in differences(first, second) if abs(d.gap) >= NOTABLE]
    ahead = [_clause(d) for d in gaps if d.gap > 0][:limit]
    behind = [_clause(d) for d in gaps if d.gap < 0][:limit]
    sentences = [_headline(first, second, names)]
    if ahead:
        sentences.append(f"In its favour: {'; '.join(ahead)}.")
    if behind:
        sentences.append(f"Against it: {'; '.join(behind)}.")
    if not gaps:
        sentences.append(f"No channel that judged both differs by {NOTABLE} or more.")
    if alone := unshared(first, second):
        said = ", ".join(f"{channel} for {names[0 if is_first else 1]}" for channel, is_first in alone)
        sentences.append(f"Judged for one of them only: {said}; so the two totals do not rest on the same channels.")
    return sentences


def _headline(first: EvaluationRecord, second: EvaluationRecord, names: tuple[str, str]) -> str:
    if first.final is None or second.final is None:
        return f"{names[1]} could not be scored." if first.final is not None else "Neither could be scored."
    gap = first.final - second.final
    if gap < 0.005:
        return f"{names[0]} and {names[1]} are level ({first.final:.3f} and {second.final:.3f})."
    return f"{names[0]} is {gap:.2f} ahead of {names[1]} ({final_text(first.final)} to {final_text(second.final)})."


def _clause(difference: Difference) -> str:
    text = f"{difference.channel} {difference.first:.2f} against {difference.second:.2f}"
    # Only parts that pull the same way explain the channel's gap.
    pulling = [p for p in difference.parts if p.gap * difference.gap > 0 and abs(p.gap) >= NOTABLE][:2]
    if not pulling:
        return text
    return f"{text} (mostly {', '.join(f'{p.name} {p.first:.2f} against {p.second:.2f}' for p in pulling)})"


def _parts(one: ChannelResult, two: ChannelResult) -> list[Part]:
    other = dict(_part_scores(two))
    parts = [Part(name, score, other[name]) for name, score in _part_scores(one) if name in other]
    return sorted(parts, key=lambda p: (-abs(p.gap), p.name))


def _part_scores(result: ChannelResult) -> Iterator[tuple[str, float]]:
    for name, dimension in (result.dimensions or {}).items():
        if dimension.score is not None:
            yield name.replace("_", " "), dimension.score
    for axis, value in (result.axes or {}).items():
        if value.score is not None:
            yield axis, value.score


def _score(record: EvaluationRecord, name: ChannelName) -> float | None:
    result = record.channels.get(name)
    return None if result is None else result.score

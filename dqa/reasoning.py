"""The verdict in 2 to 4 plain sentences, and the list of what to do about it.

Only facts from the channel results are used: what is said here is what was measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dqa.record import ChannelName, ChannelResult
from dqa.synthesis import Verdict, final_text

WEAK = 0.6
"""Findings below this are weak."""

_ACTIONS = {
    "accept": "accept it",
    "review": "have a person look at it",
    "refine": "refine the prompt and try again",
    "reject": "reject it and try again",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One score with its reason: a channel, a benchmark dimension or a VisionReward axis."""

    name: str
    score: float
    reason: str


def findings(results: Mapping[ChannelName, ChannelResult]) -> list[Finding]:
    """Everything that has a score, parts in place of the channels they make up; weakest first.

    Equals stay in the order of channels and dimensions, which puts causes before what follows from them.
    """
    return sorted(_findings(results), key=lambda finding: finding.score)


def _findings(results: Mapping[ChannelName, ChannelResult]) -> Iterator[Finding]:
    for name, result in results.items():
        if result.dimensions:
            for dimension, value in result.dimensions.items():
                if value.score is not None:
                    yield Finding(dimension.replace("_", " "), value.score, value.reason)
        elif result.axes:
            for axis, value in result.axes.items():
                if value.score is not None:
                    yield Finding(f"{axis} (VisionReward)", value.score, value.reason)
        elif result.score is not None:
            yield Finding(name, result.score, result.reason)


def _weakest(results: Mapping[ChannelName, ChannelResult]) -> list[Finding]:
    """Up to three findings under :data:`WEAK`, else the lowest; and always the lowest benchmark dimension.

    A clip of another topic should not hide that it also stutters, nor the other way round.
    """
    found = findings(results)
    weak = [f for f in found[:3] if f.score < WEAK] or found[:1]
    dimensions = findings({n: r for n, r in results.items() if n == "benchmark"})[:1]
    return [*weak, *(f for f in dimensions if f not in weak)]


def reasoning(results: Mapping[ChannelName, ChannelResult], verdict: Verdict) -> str:
    """2 to 4 sentences: the verdict, the strongest evidence, the weakest, and what was not judged."""
    if verdict.final is None:
        return "No channel could judge this clip, so there is no grade. " + _not_judged(results)
    found = findings(results)
    sentences = [
        f"Grade {verdict.grade} ({final_text(verdict.final)}): {_ACTIONS[verdict.action]}.",
        f"Strongest evidence: {_say(found[-1])}.",
        f"Weakest evidence: {'; '.join(_say(f) for f in _weakest(results))}.",
    ]
    if verdict.prompt_adherence is None:
        missing = _not_judged(results, "; no score from")
        sentences.append(f"Adherence to the prompt was not judged{missing or '.'}")
    elif missing := _not_judged(results):
        sentences.append(missing)
    return " ".join(sentences)


def advice(results: Mapping[ChannelName, ChannelResult]) -> tuple[str, ...]:
    """What to change, weakest axis first, each advice once."""
    rows = [
        (axis.score if axis.score is not None else 1.0, axis.advice)
        for result in results.values()
        for axis in (result.axes or {}).values()
        if axis.advice
    ]
    missing = _missing_entities(results)
    return tuple(dict.fromkeys([*missing, *(text for _, text in sorted(rows))]))


def _missing_entities(results: Mapping[ChannelName, ChannelResult]) -> list[str]:
    spatial = results.get("spatial")
    if spatial is None or spatial.status != "ok":
        return []
    entities = spatial.raw.get("entities")
    names = [
        str(entity.get("name"))
        for entity in (entities if isinstance(entities, list) else [])
        if isinstance(entity, dict) and entity.get("found") is False
    ]
    if not names:
        return []
    return [
        f"Not found in the picture: {', '.join(names)} -> name it earlier in the prompt, or drop what competes with it."
    ]


def _not_judged(results: Mapping[ChannelName, ChannelResult], words: str = "Not judged:") -> str:
    absent = [f"{name} ({result.status})" for name, result in results.items() if result.score is None]
    return f"{words} {', '.join(absent)}." if absent else ""


def _say(finding: Finding) -> str:
    reason = finding.reason.strip().rstrip(".").replace(". ", "; ")
    return f"{finding.name} {finding.score:.2f} ({reason})" if reason else f"{finding.name} {finding.score:.2f}"

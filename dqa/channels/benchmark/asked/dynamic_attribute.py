"""Does a thing change as the prompt says? VBench-2.0's Dynamic_Attribute: its start, its end, and the change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dqa.channels.benchmark.asked.asking import YES_OR_NO, Asking, all_hold
from dqa.channels.benchmark.view import Finding, abstain
from dqa.models.roles import YesNo
from dqa.models.vlm.safety import quoted

_THING = r"(?P<thing>[^,.;:!?]{1,80}?)\s+(?:(?:gradually|slowly|suddenly|quickly|smoothly)\s+)?"
_END = r"(?:in)?to\s+(?P<end>[^,.;:!?]{1,60})"
_FROM_TO = re.compile(
    rf"{_THING}(?:turn|chang|fad|transform|shift|morph|transition|evolv)\w*\b[^,.;:!?]{{0,40}}?"
    rf"\bfrom\s+(?P<start>[^,.;:!?]{{1,60}}?)\s+{_END}",
    re.IGNORECASE,
)
_INTO = re.compile(rf"{_THING}(?:turn|chang|fad|transform|morph|evolv)\w*\s+{_END}", re.IGNORECASE)
_BECOMES = re.compile(
    rf"{_THING}(?:becom(?:es?|ing)|turns|turning)\s+(?!to\b|around\b|away\b|back\b|towards?\b|left\b|right\b|and\b|its\b|"
    r"his\b|her\b|the\b|on\b|off\b|over\b)(?P<end>[^,.;:!?]{1,60})",
    re.IGNORECASE,
)
_LEAD = re.compile(r"^(?:.*\b(?:where|while|as|and|that|which)\s+)?", re.IGNORECASE)
_LONGEST = 2000
"""Characters of a prompt that are searched for a change."""


@dataclass(frozen=True, slots=True)
class Changing:
    """A change that a prompt asks for; ``start`` is empty where it does not say how the thing begins."""

    thing: str
    start: str
    end: str


def changing(text: str) -> Changing | None:
    """The first change in a prompt.

    >>> changing("a leaf turns from green to red in autumn")
    Changing(thing='a leaf', start='green', end='red in autumn')
    >>> changing("the sky slowly becomes dark")
    Changing(thing='the sky', start='', end='dark')
    >>> changing("a car drives from Rome to Paris") is None
    True
    """
    for pattern in (_FROM_TO, _INTO, _BECOMES):
        found = pattern.search(text[:_LONGEST])
        if found is not None:
            start = found.groupdict().get("start") or ""
            return Changing(_plain(found["thing"]), start.strip(), found["end"].strip())
    return None


def questions(asking: Asking) -> Sequence[str]:
    """Whether it changes; how it starts and ends is asked of the first and the last frames."""
    change = changing(asking.prompt.text)
    return () if change is None else (_changes(change),)


def measure(asking: Asking) -> Finding:
    """Raw: the least log-odds of start, end and change; abstains where the prompt asks for no change."""
    change = changing(asking.prompt.text)
    if change is None:
        return abstain("the prompt asks for no change of a thing")
    frames = asking.frames
    if len(frames) < 4:
        return abstain(f"{len(frames)} frames are too few to see a change; it takes 4")
    share = max(1, len(frames) // 4)
    parts: dict[str, YesNo | None] = {}
    if change.start:
        (parts[f"starts {change.start}"],) = asking.over(frames[:share], [_looks(change.thing, change.start)])
    (parts[f"ends {change.end}"],) = asking.over(frames[-share:], [_looks(change.thing, change.end)])
    parts["changes"] = asking.answer(_changes(change))
    return all_hold(parts, f"asked over {len(frames)} frames, {share} at either end")


def _plain(words: str) -> str:
    return _LEAD.sub("", words).strip()


def _looks(thing: str, how: str) -> str:
    return f"In these frames, is {quoted(thing)} as the words {quoted(how)} say? {YES_OR_NO}"


def _changes(change: Changing) -> str:
    begins = f" from {quoted(change.start)}" if change.start else ""
    return (
        f"In the course of this video, does {quoted(change.thing)} change{begins} to {quoted(change.end)}? {YES_OR_NO}"
    )

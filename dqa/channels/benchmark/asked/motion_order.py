"""Do things happen in the order the prompt gives? After VBench-2.0's Motion_Order_Understanding."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from dqa.channels.benchmark.asked.asking import YES_OR_NO, Asking, all_hold
from dqa.channels.benchmark.view import Finding, abstain
from dqa.models.vlm.safety import quoted

MOST = 4
"""Events of a prompt that are asked about."""

_THEN = re.compile(
    r"[\s,.;]*\b(?:(?:and|but)\s+)?(?:then|after\s+that|afterwards?|after\s+which|finally|at\s+last|lastly)\b[\s,]*",
    re.IGNORECASE,
)
_FIRST = re.compile(r"^\s*(?:(?:at\s+)?first(?:ly)?|to\s+begin\s+with|initially)\b,?\s*", re.IGNORECASE)


def events(text: str) -> list[str]:
    """The events of a prompt in its order; fewer than two where it gives none.

    >>> events("First a man opens the door, then he walks in and finally sits down.")
    ['a man opens the door', 'he walks in', 'sits down']
    >>> events("a red fox in the snow")
    []
    """
    parts = [part.strip(" ,.;") for part in _THEN.split(_FIRST.sub("", text))]
    found = [_FIRST.sub("", part) for part in parts if part]
    return found[:MOST] if len(found) > 1 else []


def questions(asking: Asking) -> Sequence[str]:
    """Whether each event is there, and of each two neighbours whether the one comes first."""
    return [question for _, question in _asked(events(asking.prompt.text))]


def measure(asking: Asking) -> Finding:
    """Raw: the least log-odds of events and orders; abstains where the prompt gives no order."""
    found = events(asking.prompt.text)
    if not found:
        return abstain("the prompt gives no order of events")
    if len(asking.frames) < 4:
        return abstain(f"{len(asking.frames)} frames are too few to see an order; it takes 4")
    parts = {name: asking.answer(question) for name, question in _asked(found)}
    return all_hold(parts, f"{len(found)} events asked over {len(asking.frames)} frames")


def _asked(found: Sequence[str]) -> list[tuple[str, str]]:
    there = [(event, f"Does this video show that {quoted(event)}? {YES_OR_NO}") for event in found]
    ordered = [
        (
            f"{one} before {two}",
            f"These frames are of one video, in their order. Does what the words {quoted(one)} say come before "
            f"what the words {quoted(two)} say, and not after it? {YES_OR_NO}",
        )
        for one, two in itertools.pairwise(found)
    ]
    return there + ordered

"""What decides: when a clip is accepted, given to a person, or its prompt refined; and the standards that say so.

``tools/decide_next.py`` decides by the same rule for the Director; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from pydantic import JsonValue

from dqa.record import Action, Grade
from dqa.refine.record import Cycle, Outcome
from dqa.synthesis import GRADES

Decision = Literal["accept", "review", "refine"]

BEST_FIRST: tuple[Grade, ...] = get_args(Grade)

ACCEPTABLE: tuple[Grade, ...] = tuple(grade for _, grade, action in GRADES if action == "accept")
"""Grades that a clip can be accepted with, best first; below them a person looks, or the prompt is refined."""

MOST_RETRIES = 10
"""More refinements of one brief are never made, whatever the standards say."""

_MOST_PATTERNS, _LONGEST_PATTERN = 12, 300


@dataclass(frozen=True, slots=True)
class Standards:
    """What the memory block quality_standards says.

    Attributes:
        min_grade: the least grade that is accepted, one of :data:`ACCEPTABLE`.
        max_retries: most refinements of one brief, 0 to :data:`MOST_RETRIES`; one more clip is made than this.
        avoid: what has gone with rejected clips, strongest first; for a writer to mind.
        proven: prompts that worked; for a writer to learn from.
    """

    min_grade: Grade = "B"
    max_retries: int = 3
    avoid: tuple[str, ...] = ()
    proven: tuple[str, ...] = ()


def decide(grade: Grade | None, action: Action | None, min_grade: Grade) -> Decision:
    """What to do about a clip by its evaluation.

    ``review`` is the record's own word for a clip that nobody should accept or refine unseen: grade B-, adherence to
    the prompt not judged, text meant for the judge. No minimum makes such a clip acceptable.

    >>> decide("B+", "accept", "B"), decide("B+", "accept", "A-"), decide("A", "review", "B")
    ('accept', 'refine', 'review')
    """
    if action == "review":
        return "review"
    good = grade is not None and BEST_FIRST.index(grade) <= BEST_FIRST.index(min_grade)
    return "accept" if good and action == "accept" else "refine"


def ending(cycles: Sequence[Cycle], standards: Standards) -> Outcome | None:
    """How a run has ended by its cycles; None while it goes on. A run never has more than ``max_retries + 1``."""
    if not cycles:
        return None
    last = cycles[-1]
    if last.evaluation is None:
        return "failed"
    decision = decide(last.grade, last.action, standards.min_grade)
    if decision != "refine":
        return "accepted" if decision == "accept" else "review"
    return "exhausted" if len(cycles) > standards.max_retries else None


def read_standards(values: Mapping[str, JsonValue], otherwise: Standards) -> tuple[Standards, list[str]]:
    """The standards that a block's values state, and what of them could not be used, in words.

    Args:
        values: keys of quality_standards as the block holds them.
        otherwise: what counts where a key is missing or can't be used.
    """
    problems: list[str] = []
    found = otherwise
    if (grade := values.get("MIN_ACCEPTABLE_GRADE")) is not None:
        if grade in ACCEPTABLE:
            found = replace(found, min_grade=grade)
        elif grade in BEST_FIRST:
            found = replace(found, min_grade=ACCEPTABLE[-1])
            problems.append(f"MIN_ACCEPTABLE_GRADE is {grade}, and nothing below {ACCEPTABLE[-1]} is accepted unseen")
        else:
            problems.append(f"MIN_ACCEPTABLE_GRADE is no grade; {found.min_grade} counts")
    if (retries := values.get("MAX_RETRIES")) is not None:
        number = _whole(retries)
        if number is None:
            problems.append(f"MAX_RETRIES is no whole number; {found.max_retries} counts")
        else:
            found = replace(found, max_retries=min(number, MOST_RETRIES))
    avoid = (*_texts(values.get("FAILURE_PATTERNS")), *_texts(values.get("FAILURE_PATTERNS_TO_AVOID")))
    proven = _texts(values.get("PROVEN_PROMPT_TEMPLATES"))
    return replace(found, avoid=tuple(dict.fromkeys(avoid))[:_MOST_PATTERNS] or found.avoid, proven=proven), problems


def _whole(value: JsonValue) -> int | None:
    if isinstance(value, str) and value.strip().isdecimal() and value.isascii():
        return int(value[:9])
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _texts(value: JsonValue) -> tuple[str, ...]:
    """Texts of a list, or of one text; a pattern that is an object is told by its own words."""
    items = value if isinstance(value, list) else [value] if isinstance(value, str) and value.strip() else []
    texts = [str(item.get("pattern") or "") if isinstance(item, dict) else str(item) for item in items]
    return tuple(text.strip()[:_LONGEST_PATTERN] for text in texts if text.strip())[:_MOST_PATTERNS]

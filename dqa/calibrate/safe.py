"""Words that may stand in what a judge is asked: never an instruction to it."""

from __future__ import annotations

from dqa.calibrate.reference import Reference
from dqa.models.vlm.safety import quoted, screen

FRAMES_HOLD_TEXT = (
    "the picture seems to hold text meant for a judge: every match counts as partial until a person has looked"
)
WORDS_REMOVED = "words meant for the judge were left out of the reference"


def screened(reference: Reference) -> tuple[Reference, bool]:
    """The reference without clauses that speak to a judge, and whether there were any."""
    description = screen(reference.description)
    values = {name: screen(value) for name, value in reference.values.items()}
    kept = {name: found.text for name, found in values.items() if found.text}
    removed = description.suspicious or any(found.suspicious for found in values.values())
    return Reference(description.text, kept), removed


def in_quotes(text: str, limit: int = 300) -> str:
    """Text in quotes that it can't leave, of bounded length."""
    return quoted(text[:limit])

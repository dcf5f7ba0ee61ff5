"""The words a report puts beside the numbers: what is asked, what a number means."""

from __future__ import annotations

from dataclasses import dataclass

from dqa.errors import DQAError
from dqa.models.profiles import load_profile
from dqa.record import Action, ChannelName, Grade
from dqa.synthesis import GRADES

QUESTIONS: dict[ChannelName, str] = {
    "semantic": "What is in the clip?",
    "spatial": "Where are things?",
    "benchmark": "Does it meet standards?",
    "visionreward": "Why is it good or bad?",
    "preference": "Will this user like it?",
}
"""What each channel answers (mission 1.1)."""

STATUSES = {
    "ok": "Judged",
    "abstained": "Abstained",
    "unavailable": "Not available",
    "failed": "Failed",
}

CURVES = {
    "difference": "Change between frames (0 to 255)",
    "motion": "Motion (short sides a second)",
    "luminance": "Brightness (0 to 255)",
    "sharpness": "Sharpness (0 to 1)",
    "repeat": "Repeated frames (0 to 1)",
    "similarity": "Likeness to the moment before (0 to 1)",
}
"""What the benchmark's curves show, with their units."""

ACTIONS: dict[Action, str] = {
    "accept": "Accept it",
    "review": "Have a person look at it",
    "refine": "Refine the prompt and try again",
    "reject": "Reject it and try again",
}

_TONES: dict[Grade | None, str] = {
    "A": "good", "A-": "good", "B+": "good", "B": "good", "B-": "fair", "C": "poor", "F": "bad", None: "none",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One grade on the scale: from ``low`` up to ``high``."""

    grade: Grade
    low: float
    high: float
    action: Action


@dataclass(frozen=True, slots=True)
class ProfileWords:
    """What a profile can and can't judge; empty for one that this version does not have."""

    title: str
    can: tuple[str, ...]
    cannot: tuple[str, ...]


def scale() -> list[Step]:
    """The grades, worst first."""
    highs = [1.0, *(low for low, _, _ in GRADES)]
    steps = [Step(grade, low, high, action) for (low, grade, action), high in zip(GRADES, highs, strict=False)]
    return steps[::-1]


def tone(grade: Grade | None) -> str:
    """The style class of a grade."""
    return _TONES[grade]


def profile_words(name: str) -> ProfileWords:
    """What the profile's own file says of it."""
    try:
        profile = load_profile(name)
    except DQAError:
        return ProfileWords("", (), ())
    return ProfileWords(profile.title, profile.can, profile.cannot)

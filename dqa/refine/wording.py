"""A prompt from a brief and advice, by rules: the brief's own words, and a phrase for what the advice names.

Nothing that the brief names is ever dropped: words are added before and after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_REQUEST = re.compile(
    r"""^\s*
    (?:(?:please|could\ you|can\ you|would\ you|i\ want|i'd\ like|i\ would\ like|we\ need|let's)\b[\s,]*
       (?:you\s+)?(?:to\s+)?)*
    (?:(?:make|create|generate|film|produce|shoot|render|show)\b\s*(?:me|us)?\s*)?
    (?:(?:a|an|the|some)\s+)?(?:(?:short|new|nice)\s+)*
    (?:video|clip|film|movie)s?\b\s*(?:of|about|with|showing|where|in\ which|:)?\s*""",
    re.IGNORECASE | re.VERBOSE,
)

MOVES = "one clear, continuous movement"
SMOOTH = "slow, smooth, steady motion"

_EXACT = (
    # What channels advise where something lies still or freezes also says "motion": taken out before the wide patterns.
    (re.compile(r"motion low -> [^;]{0,80}name one clear movement", re.IGNORECASE), MOVES),
    (re.compile(r"frames (?:freeze|repeat) -> [^;]{0,40}continuous motion", re.IGNORECASE), MOVES),
    (re.compile(r"camera hardly moves", re.IGNORECASE), MOVES),
    (re.compile(r"camera movement flawed -> [^;]{0,80}", re.IGNORECASE), "fixed camera"),
    (re.compile(r"flicker -> [^;]{0,60}light", re.IGNORECASE), "constant, even light"),
)
_WIDE = (
    (re.compile(r"motion|jitter|shak|jerk|flow", re.IGNORECASE), SMOOTH),
    (
        re.compile(r"flicker|consisten|coheren|morph|drift|stable|scene", re.IGNORECASE),
        "one continuous shot, stable shapes",
    ),
    (re.compile(r"static|frozen|still", re.IGNORECASE), "clearly visible movement"),
    (re.compile(r"blur|sharp|noise|artifact|detail|fidelity", re.IGNORECASE), "sharp focus, fine detail"),
    (re.compile(r"aesthetic|colou?r|light|expos|contrast", re.IGNORECASE), "balanced composition, soft natural light"),
)
_MISSING = re.compile(r"not found in the picture: ([^>;]{0,300}?) {0,3}->[^;]{0,100}", re.IGNORECASE)
_MOST_PHRASES = 3


def compose(brief: str, advice: str) -> str:
    """The prompt for a brief; what the advice says is missing comes first, the rest as a phrase at the end.

    >>> compose("Please make a video of a dark wolf in a forest.", "")
    'a dark wolf in a forest'
    >>> compose("a wolf", "Not found in the picture: forest -> name it earlier; motion uneven -> simpler motion")
    'forest, a wolf, slow, smooth, steady motion'
    """
    return together(missing_in(advice), subject_of(brief), phrases_for(advice)[:_MOST_PHRASES])


def subject_of(brief: str) -> str:
    """The brief without the words that only ask for a video."""
    return _REQUEST.sub("", brief.strip(), count=1).strip(" .:\n\"'") or brief.strip()


def missing_in(advice: str) -> list[str]:
    """What the advice says was not found in the picture."""
    return [name.strip() for found in _MISSING.findall(advice) for name in found.split(",") if name.strip()]


def phrases_for(advice: str) -> list[str]:
    """A phrase for each thing that the advice names, each once."""
    rest = _MISSING.sub("", advice)
    phrases: list[str] = []
    for pattern, phrase in _EXACT:
        rest, count = pattern.subn("", rest)
        if count:
            phrases.append(phrase)
    phrases += [phrase for pattern, phrase in _WIDE if pattern.search(rest)]
    return list(dict.fromkeys(phrases))


def together(missing: Iterable[str], subject: str, phrases: Iterable[str]) -> str:
    """What was missing, the subject, the phrases, as one prompt."""
    return ", ".join([*missing, subject, *phrases])

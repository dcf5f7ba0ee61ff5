"""A prompt from a brief and advice, by rules: the brief's own words, and a phrase for what the advice names."""

from __future__ import annotations

import re

_REQUEST = re.compile(
    r"""^\s*
    (?:(?:please|could\ you|can\ you|would\ you|i\ want|i'd\ like|i\ would\ like|we\ need|let's)\b[\s,]*
       (?:you\s+)?(?:to\s+)?)*
    (?:(?:make|create|generate|film|produce|shoot|render|show)\b\s*(?:me|us)?\s*)?
    (?:(?:a|an|the|some)\s+)?(?:(?:short|new|nice)\s+)*
    (?:video|clip|film|movie)s?\b\s*(?:of|about|with|showing|where|in\ which|:)?\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_PHRASES = (
    (re.compile(r"motion|jitter|shak|jerk|flow", re.IGNORECASE), "slow, smooth, steady motion"),
    (re.compile(r"flicker|consisten|coheren|morph|drift|stable", re.IGNORECASE), "one continuous shot, stable shapes"),
    (re.compile(r"static|frozen|still", re.IGNORECASE), "clearly visible movement"),
    (re.compile(r"blur|sharp|noise|artifact|detail|fidelity", re.IGNORECASE), "sharp focus, fine detail"),
    (re.compile(r"aesthetic|colou?r|light|expos|contrast", re.IGNORECASE), "balanced composition, soft natural light"),
)
_MISSING = re.compile(r"not found in the picture: ([^>;]{0,300}?) {0,3}->", re.IGNORECASE)


def compose(brief: str, advice: str) -> str:
    """The prompt for a brief; what the advice says is missing comes first, the rest as a phrase at the end.

    >>> compose("Please make a video of a dark wolf in a forest.", "")
    'a dark wolf in a forest'
    >>> compose("a wolf", "Not found in the picture: forest -> name it earlier; motion low -> simpler motion")
    'forest, a wolf, slow, smooth, steady motion'
    """
    subject = _REQUEST.sub("", brief.strip(), count=1).strip(" .:\n\"'") or brief.strip()
    missing = [name.strip() for found in _MISSING.findall(advice) for name in found.split(",") if name.strip()]
    rest = _MISSING.sub("", advice)
    phrases = [phrase for pattern, phrase in _PHRASES if pattern.search(rest)]
    return ", ".join([*missing, subject, *phrases[:3]])

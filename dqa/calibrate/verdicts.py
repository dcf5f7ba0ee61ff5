"""Verdicts on axes, and the two figures computed from them: never by the model that judged."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

Verdict = Literal["match", "partial", "mismatch"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
ORDINALS: dict[Verdict, float] = {"match": 1.0, "partial": 0.5, "mismatch": 0.0}
"""What a verdict counts. Small models give unreliable numbers between 0 and 1, and reliable words."""

_ARTICLES = frozenset({"a", "an", "the"})
_PUNCTUATION = re.compile(r"[^\w\s]|_")


@dataclass(frozen=True, slots=True)
class Judged:
    """One axis of one comparison.

    Attributes:
        axis: its name.
        verdict: None where it could not be judged.
        ref: what the reference says.
        gen: what the generated picture shows.
        reason: why there is no verdict; empty with one.
    """

    axis: str
    verdict: Verdict | None
    ref: str | None
    gen: str | None
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """``{verdict, ref, gen}``, and ``reason`` where the verdict is ``unjudged``."""
        told: dict[str, Any] = {"verdict": self.verdict or "unjudged", "ref": self.ref, "gen": self.gen}
        return told if self.verdict is not None else {**told, "reason": self.reason}


def judged(axis: str, verdict: Verdict, ref: str, gen: str) -> Judged:
    """A verdict; equal normalised texts are a match, whatever was said."""
    return Judged(axis, "match" if normalised(ref) == normalised(gen) else verdict, ref, gen)


def normalised(text: str) -> str:
    """Text without case, punctuation, articles and extra space.

    >>> normalised("A Red-Coat!") == normalised("red  coat")
    True
    """
    plain = _PUNCTUATION.sub(" ", unicodedata.normalize("NFKC", text).casefold())
    words = plain.split()
    return " ".join([word for word in words if word not in _ARTICLES] or words)


def overall_score(axes: Iterable[Judged]) -> float | None:
    """Mean of the ordinals over the axes that were judged, in [0, 1]; None when none was.

    >>> overall_score([judged("a", "match", "x", "y"), judged("b", "partial", "x", "y"), Judged("c", None, "x", None)])
    0.75
    """
    counted = [ORDINALS[one.verdict] for one in axes if one.verdict is not None]
    return sum(counted) / len(counted) if counted else None


def mismatch_count(axes: Iterable[Judged]) -> int:
    """How many axes were judged a mismatch; an axis that was not judged is none, and no match either."""
    return sum(one.verdict == "mismatch" for one in axes)

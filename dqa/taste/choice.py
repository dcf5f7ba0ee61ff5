"""One choice between two evaluated clips, as everything that learns from choices sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dqa.taste.features import Vector

Outcome = Literal["a", "b", "tie"]
Side = Literal["a", "b"]

OUTCOMES: dict[Outcome, float] = {"a": 1.0, "b": 0.0, "tie": 0.5}
"""A choice as a number: 1 when A was chosen; a tie is half a choice for each."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of one user, with the clips as features.

    Attributes:
        a, b: features of the two clips, shape (d,), NaN where not judged.
        chosen: which was preferred.
        clips: what tells the clips apart: the hashes of their content; empty when unknown.
        prompts: the prompts they were made from; choices that share one never straddle a split.
        left: which clip was shown on the left; None when unknown.
        why: the reasons that were ticked.
        source: where the choice came from (``http``, ``cli``, ``block``, ``file``).
        received: when it arrived by our own clock, in seconds since the epoch; None when unknown.
        seq: its place in the log.
    """

    a: Vector
    b: Vector
    chosen: Outcome
    clips: tuple[str, str] = ("", "")
    prompts: tuple[str, str] = ("", "")
    left: Side | None = None
    why: tuple[str, ...] = ()
    source: str = "file"
    received: float | None = None
    seq: int = 0

    @property
    def outcome(self) -> float:
        """1 for A, 0 for B, 0.5 for a tie."""
        return OUTCOMES[self.chosen]

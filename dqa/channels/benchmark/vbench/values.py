"""VBench's number as a finding: raw as VBench gives it, the score its place on the leaderboard's scale."""

from __future__ import annotations

from dqa.channels.benchmark.vbench.leaderboard import normalised
from dqa.channels.benchmark.view import Finding
from dqa.record import Evidence


def given(name: str, value: float, how: str, evidence: tuple[Evidence, ...] = ()) -> Finding:
    """VBench's ``value`` of the dimension ``name``; the score is clipped to [0, 1], the reason names it unclipped."""
    place = normalised(name, value)
    text = f"VBench's number is {value:.4f} ({how}), {place:.3f} on the leaderboard's scale"
    return Finding(min(1.0, max(0.0, place)), value, text, evidence or (Evidence(text=text),))

"""Do frames repeat? Freezes, held frames and slideshows. Ours: VBench has no such dimension, and rewards all three."""

from __future__ import annotations

from dqa.channels.benchmark.view import Finding, View
from dqa.measure.repeats import Repeats
from dqa.record import Evidence


def measure(view: View) -> Finding:
    """Score: (1 - share of repeats)^2, halved for every second that the longest freeze adds. Raw: share of repeats."""
    short = view.too_short()
    if short is not None:
        return short
    repeats, pairs = view.repeats, view.signals.frames - 1
    # One held frame is already in the share; only what lasts longer is a freeze.
    freeze = max(0.0, repeats.longest_s - 0.15)
    score = (1 - repeats.share) ** 2 / (1 + freeze)
    text = _text(repeats, pairs)
    evidence = (Evidence(text=text, time_s=repeats.longest),) if repeats.longest else ()
    return Finding(score, repeats.share, text, evidence)


def _text(repeats: Repeats, pairs: int) -> str:
    if repeats.longest is None:
        return f"none of {pairs} frames repeats the one before"
    start, end = repeats.longest
    text = f"{repeats.count} of {pairs} frames repeat the one before"
    if repeats.longest_s < 0.15:
        return f"{text}, none of them for long"
    return f"{text}, the longest freeze lasts {repeats.longest_s:.2f} s ({start:.1f}-{end:.1f} s)"

"""What the subject and the background dimension share: VBench's formula, and a score that a freeze can't earn."""

from __future__ import annotations

import numpy as np

from dqa.channels.benchmark.view import Finding, View, abstain
from dqa.channels.scales import falling
from dqa.clip.frame import Frame
from dqa.measure.continuity import adjacent, consistency
from dqa.models.roles import Vectors
from dqa.record import Evidence

MIN_TRACK = 3


def judge(view: View, frames: tuple[Frame, ...], rows: Vectors, what: str, half: float) -> Finding:
    """Scores rows of features, one per frame.

    ``half`` is the drift at which the score is a half (:class:`dqa.channels.benchmark.view.Likeness`).

    Raw: VBench's mean of cosines to the frame before and to the first, over frames at most 8 (background: 4) a second
    whatever the clip's own rate. Score: from the same over frames that differ, times the share of the clip that moves.
    """
    raw = consistency(rows)
    kept = view.distinct(frames)
    if len(kept) < 2:
        return Finding(0.0, raw, f"nothing moves, so that the {what} stays the same says nothing")
    drift = 1.0 - consistency(rows[kept])
    text = f"the {what} stays {100 * (1 - drift):.0f} % like itself from frame to frame and to the first frame"
    return Finding(falling(drift, half, 1.5) * view.moving, raw, view.gated(text), (_worst(frames, rows, kept, what),))


def too_few(view: View, frames: tuple[Frame, ...]) -> Finding | None:
    """The abstention for an image or a clip too short to compare."""
    short = view.too_short()
    if short is None and len(frames) < MIN_TRACK:
        return abstain(f"the clip is too short to compare {MIN_TRACK} moments")
    return short


def _worst(
    frames: tuple[Frame, ...], rows: Vectors, kept: np.ndarray[tuple[int], np.dtype[np.intp]], what: str
) -> Evidence:
    alike = adjacent(rows[kept])
    at = int(np.argmin(alike))
    before, after = frames[kept[at]], frames[kept[at + 1]]
    return Evidence(
        text=f"the {what} changes most here: {100 * alike[at]:.0f} % alike",
        frame=after.index,
        time_s=(before.time_s, after.time_s),
    )

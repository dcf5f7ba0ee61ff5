"""Does the one person stay the same person? After VBench-2.0's Human_Identity, by questions instead of ArcFace."""

from __future__ import annotations

from collections.abc import Sequence

from dqa.channels.benchmark.asked.asking import ONE_PERSON, YES_OR_NO, Asking, all_hold
from dqa.channels.benchmark.view import Finding, abstain

FACE = f"Is the face of a person seen clearly in this video? {YES_OR_NO}"
SAME = f"Is the person in all of these frames one and the same person, with the same face? {YES_OR_NO}"
ENDS = f"Do these two frames, far apart in one video, show the same person, with the same face? {YES_OR_NO}"


def questions(asking: Asking) -> Sequence[str]:
    """The gates, and whether it is the same person throughout."""
    return (ONE_PERSON, FACE, SAME)


def measure(asking: Asking) -> Finding:
    """Raw: least log-odds of "the same person", over all frames and between the first and the last."""
    frames = asking.frames
    coverage = f"asked over {len(frames)} frames"
    if len(frames) < 2:
        return abstain(f"it takes two frames to compare; {coverage}")
    for gate in (asking.gate("exactly one person", ONE_PERSON), asking.gate("the face is seen", FACE)):
        if not gate.passed:
            return abstain(f"{gate.told()}; {coverage}")
    (ends,) = asking.over([frames[0], frames[-1]], [ENDS])
    return all_hold({"the same person throughout": asking.answer(SAME), "the same at both ends": ends}, coverage)

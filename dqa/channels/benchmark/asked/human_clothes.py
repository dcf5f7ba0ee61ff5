"""Do the clothes stay the same? VBench-2.0's Human_Clothes: one person? the same person? the clothes unchanged?"""

from __future__ import annotations

from collections.abc import Sequence

from dqa.channels.benchmark.asked.asking import ONE_PERSON, YES_OR_NO, Asking, all_hold
from dqa.channels.benchmark.view import Finding, abstain

PERSON = f"Do all of these frames show the same person? {YES_OR_NO}"
CLOTHES = (
    "Are the clothes of the person the same in all of these frames: the same garments, in the same colours and with "
    f"the same pattern? {YES_OR_NO}"
)


def questions(asking: Asking) -> Sequence[str]:
    """The gate and both questions."""
    return (ONE_PERSON, PERSON, CLOTHES)


def measure(asking: Asking) -> Finding:
    """Raw: the lesser log-odds of "the same person" and "the same clothes"."""
    coverage = f"asked over {len(asking.frames)} frames"
    if len(asking.frames) < 2:
        return abstain(f"it takes two frames to compare; {coverage}")
    gate = asking.gate("exactly one person", ONE_PERSON)
    if not gate.passed:
        return abstain(f"{gate.told()}; {coverage}")
    return all_hold({"same person": asking.answer(PERSON), "same clothes": asking.answer(CLOTHES)}, coverage)

"""Is what happens carried through, with its effect? VBench-2.0's Motion_Rationality: 1 iff all answers are yes."""

from __future__ import annotations

from collections.abc import Sequence

from dqa.channels.benchmark.asked.asking import YES_OR_NO, Asking, all_hold
from dqa.channels.benchmark.view import Finding, abstain
from dqa.channels.semantic.atoms import atoms
from dqa.models.vlm.safety import quoted

MOST = 4
"""Actions of a prompt that are asked about."""


def actions(asking: Asking) -> list[str]:
    """What the prompt says that happens, in its words."""
    return [atom.text for atom in atoms(asking.prompt) if atom.kind == "action"][:MOST]


def questions(asking: Asking) -> Sequence[str]:
    """Two of each action: is it carried out, and does it leave what it would leave."""
    return [question for action in actions(asking) for question in _of(action)]


def measure(asking: Asking) -> Finding:
    """Raw: the least log-odds over the actions; abstains where the prompt names none, or the clip is an image."""
    if asking.observation.media.kind == "image":
        return abstain("an image has no motion to judge")
    named = actions(asking)
    if not named:
        return abstain(
            "the prompt asks for no action",
        )
    parts = {
        f"{action}: {what}": asking.answer(question)
        for action in named
        for what, question in zip(("carried out", "its effect"), _of(action), strict=True)
    }
    return all_hold(parts, f"{len(named)} action{'s' * (len(named) > 1)} asked over {len(asking.frames)} frames")


def _of(action: str) -> tuple[str, str]:
    return (
        f"Is what the words {quoted(action)} say really carried out in this video, rather than only posed? {YES_OR_NO}",
        f"Where the words {quoted(action)} would change something they act on, does it change as it would in the "
        f"world, and does nothing else happen without a cause? {YES_OR_NO}",
    )

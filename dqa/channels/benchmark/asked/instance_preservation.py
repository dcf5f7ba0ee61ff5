"""Does nothing pop up, vanish, melt together or split? After VBench-2.0's Instance_Preservation.

VBench-2.0 runs a fine-tuned model over windows of 2 s, a second apart, and fails the clip when one window is flagged;
here a vision-language model is asked of each window, and the window it is surest of decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from dqa.channels.benchmark.asked.asking import YES_OR_NO, Asking
from dqa.channels.benchmark.view import Finding, abstain
from dqa.channels.seeing import even_choice
from dqa.clip.frame import Frame
from dqa.models.roles import YesNo
from dqa.record import Evidence

WINDOW_S, STRIDE_S = 2.0, 1.0
WINDOWS, FRAMES = 12, 8
"""Most windows of a clip, even in time, and most frames of a window."""

_IN_ORDER = "These frames are two seconds of one video, in their order."
EVENTS: dict[str, str] = {
    "appears": "does a person, an animal or a thing suddenly appear that did not come in from the edge or from behind "
    "something",
    "disappears": "does a person, an animal or a thing suddenly vanish that did not leave over the edge or go behind "
    "something",
    "fuses": "do two persons, animals or things melt into one",
    "splits": "does one person, animal or thing split into several",
}


def questions(asking: Asking) -> Sequence[str]:
    """None over the whole clip: each window is asked on its own."""
    del asking
    return ()


def measure(asking: Asking) -> Finding:
    """Raw: minus the log-odds of the event that the model is surest of, in any window; each such one is evidence."""
    if asking.observation.media.kind == "image":
        return abstain("an image has no instances to lose")
    shown = windows(asking.observation.track)
    asked = [(frames, asking.over(frames, [_question(event) for event in EVENTS])) for frames in _even(shown)]
    flags = [
        (frames, event, answer)
        for frames, answers in asked
        for event, answer in zip(EVENTS, answers, strict=True)
        if answer is not None
    ]
    judged = sum(any(answer is not None for answer in answers) for _, answers in asked)
    coverage = f"{judged} of {len(shown)} windows of 2 s judged"
    if not flags:
        return abstain(f"no window could be judged; {coverage}")
    frames, event, surest = max(flags, key=lambda flag: flag[2].log_odds)
    p_kept = 1 - surest.p_yes
    text = f"the surest sign is that something {event} at {frames[0].time_s:.1f} s (P {surest.p_yes:.2f}); {coverage}"
    evidence = tuple(_evidence(*flag) for flag in flags if flag[2].p_yes >= 0.5)
    return Finding(p_kept, -surest.log_odds, text, evidence)


def windows(track: Sequence[Frame]) -> list[list[Frame]]:
    """Frames of each 2-s window, a second apart, of which there are two that show anything; a shorter clip is one."""
    if not track:
        return []
    first, last = track[0].time_s, track[-1].time_s
    starts = [first + k * STRIDE_S for k in range(int(max(0.0, last - first - WINDOW_S) / STRIDE_S + 1e-6) + 1)]
    if last - starts[-1] - WINDOW_S > STRIDE_S / 4:
        starts.append(last - WINDOW_S)  # the end of the clip is looked at too
    spans = ([f for f in track if start - 1e-6 <= f.time_s <= start + WINDOW_S + 1e-6] for start in starts)
    return [chosen for span in spans if len(chosen := even_choice(span, FRAMES)) >= 2]


def _even(shown: list[list[Frame]]) -> list[list[Frame]]:
    if len(shown) <= WINDOWS:
        return shown
    return [shown[round(k * (len(shown) - 1) / (WINDOWS - 1))] for k in range(WINDOWS)]


def _question(event: str) -> str:
    return f"{_IN_ORDER} In them, {EVENTS[event]}? {YES_OR_NO}"


def _evidence(frames: list[Frame], event: str, answer: YesNo) -> Evidence:
    span = (frames[0].time_s, frames[-1].time_s)
    return Evidence(text=f"something {event} (P {answer.p_yes:.2f})", frame=frames[0].index, time_s=span)

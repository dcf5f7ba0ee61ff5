"""What came of a prompt's atoms: whether each holds, and in which frames.

Soft DSG (Cho et al. 2024): P(yes) to an atom's own question, times the least P(yes) of what it rests on. Every atom
that holds over the clip is then looked for in single frames, with one question each on top of the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from dqa.channels.seeing import even_choice
from dqa.channels.semantic.atoms import MAX_ATOMS, Atom
from dqa.clip.frame import Frame
from dqa.models.roles import VisionLanguageModel, YesNo
from dqa.record import Evidence

HOLDS = 0.5
PLACES = 4
"""Frames in which atoms are looked for."""

MOST_IN_FRAMES = MAX_ATOMS * PLACES
"""Questions about single frames that a clip costs at most: all of its atoms hold."""


@dataclass(frozen=True, slots=True)
class Held:
    """What came of one atom.

    Attributes:
        p_yes: over the clip, in [0, 1], what it rests on included.
        bases: the atoms it rests on.
        by_frame: the same of single frames; none where it was not looked for.
    """

    atom: Atom
    p_yes: float
    bases: tuple[Atom, ...] = ()
    by_frame: tuple[tuple[Frame, float], ...] = ()

    def evidence(self) -> Evidence:
        """In words, with the frame that shows it best and from when to when it is seen."""
        word = "yes" if self.p_yes >= HOLDS else "no"
        text = f"{self.atom.kind} “{self.atom.text}”: {word} ({self.p_yes:.2f})"
        if not self.by_frame:
            return Evidence(text=text)
        holding = [frame for frame, p in self.by_frame if p >= HOLDS]
        best = max(self.by_frame, key=lambda pair: pair[1])[0]
        text += f", in {len(holding)} of {len(self.by_frame)} frames looked at"
        span = (holding[0].time_s, holding[-1].time_s) if holding else (best.time_s, best.time_s)
        return Evidence(text=text, frame=best.index, time_s=span)

    def raw(self) -> dict[str, JsonValue]:
        """For the record."""
        frames: list[JsonValue] = [{"frame": frame.index, "p_yes": p} for frame, p in self.by_frame]
        return {"kind": self.atom.kind, "text": self.atom.text, "p_yes": self.p_yes, "frames": frames}


def held(wanted: Sequence[Atom], answers: Sequence[YesNo | None]) -> list[Held]:
    """The atoms that were answered."""
    found = _resting(wanted, [None if answer is None else answer.p_yes for answer in answers])
    return [
        Held(atom, p, tuple(wanted[place] for place in atom.parents))
        for atom, p in zip(wanted, found, strict=True)
        if p is not None
    ]


def placed(vlm: VisionLanguageModel, given: list[Held], frames: Sequence[Frame], noun: str) -> tuple[list[Held], int]:
    """All that hold, each with the frames where it does, and the number of questions that this took.

    A picture has no frames to tell apart, and is not asked again.
    """
    shown = [one for one in given if one.p_yes >= HOLDS]
    some = even_choice(frames, PLACES)
    if noun == "image" or len(some) < 2 or not shown:
        return given, 0
    questions = [one.atom.question.format(noun="image") for one in shown]
    wanted = _among([one.atom for one in shown], [one.bases for one in shown])
    seen = [_resting(wanted, [a and a.p_yes for a in vlm.ask([frame.image], questions)]) for frame in some]
    places = {
        one.atom: tuple((frame, p) for frame, ps in zip(some, seen, strict=True) if (p := ps[k]) is not None)
        for k, one in enumerate(shown)
    }
    return [replace(one, by_frame=places.get(one.atom, ())) for one in given], len(questions) * len(some)


def _resting(wanted: Sequence[Atom], own: Sequence[float | None]) -> list[float | None]:
    """Each P(yes) times the least of what it rests on, as far as that was answered."""
    return [
        None if p is None else p * min((q for place in atom.parents if (q := own[place]) is not None), default=1.0)
        for atom, p in zip(wanted, own, strict=True)
    ]


def _among(some: Sequence[Atom], bases: Sequence[tuple[Atom, ...]]) -> list[Atom]:
    """Atoms that are a part of all, their parents counted among themselves."""
    places = {atom: place for place, atom in enumerate(some)}
    return [
        replace(atom, parents=tuple(places[base] for base in below if base in places))
        for atom, below in zip(some, bases, strict=True)
    ]

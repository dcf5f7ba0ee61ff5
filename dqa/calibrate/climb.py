"""The climb's state, made of its steps alone: which is best, what to try next, when to stop. Pure and replayable.

Greedy, one axis an iteration, the worst first, always from the best state; a step is kept only if it makes neither
figure worse and one of them better.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal

from dqa.calibrate.axes import Axes, Axis
from dqa.calibrate.editor import Target
from dqa.calibrate.verdicts import ORDINALS, VERDICTS, Judged, Verdict

Reason = Literal["target", "patience", "max_iters", "exhausted"]

TRIES = 2
"""Wordings tried on an axis before it is left: one, and another."""


@dataclass(frozen=True, slots=True)
class Rules:
    """When to stop, and whether two independent axes may be corrected at once."""

    target: float = 0.9
    patience: int = 4
    max_iters: int = 25
    pairs: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One generated picture and its verdicts; step 0 is the prompt the run began with.

    Attributes:
        axes, wordings: what was corrected, and by which words.
        old, prompt: the prompt before and after.
        judged: every axis of the comparison.
        tampered: the picture seems to hold text meant for a judge.
        file: its name in the run's folder.
    """

    number: int
    axes: tuple[str, ...]
    wordings: tuple[str, ...]
    old: str
    prompt: str
    seed: int | None
    judged: Mapping[str, Judged]
    tampered: bool
    file: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a step stands on some axes; one that was not judged counts there as a mismatch, never as a match."""

    points: float
    mismatches: int
    axes: int

    @property
    def overall(self) -> float:
        """The mean of the ordinals, in [0, 1]; 0 where nothing was judged."""
        return self.points / self.axes if self.axes else 0.0

    def beats(self, other: Standing) -> bool:
        """Neither figure worse, and one better."""
        no_worse = self.points >= other.points and self.mismatches <= other.mismatches
        return no_worse and (self.points > other.points or self.mismatches < other.mismatches)


@dataclass(slots=True)
class Climb:
    """What the steps so far come to."""

    axes: Axes
    rules: Rules
    steps: list[Step] = field(default_factory=list[Step])
    kept: list[int] = field(default_factory=list[int])
    best: Step | None = None
    scope: set[str] = field(default_factory=set[str])
    since_gain: int = 0
    tries: dict[tuple[str, ...], int] = field(default_factory=dict[tuple[str, ...], int])

    def take(self, step: Step) -> bool:
        """Counts a step; says whether it is kept. The scope are the axes that the best states had verdicts on."""
        gain = self.best is None or (not step.tampered and self._beats(step, self.best))
        self.steps.append(step)
        if gain:
            self.best = step
            self.kept.append(step.number)
            self.scope |= {name for name, one in step.judged.items() if one.verdict is not None}
            self.since_gain, self.tries = 0, {}
        else:
            self.since_gain += 1
            self.tries[step.axes] = self.tries.get(step.axes, 0) + 1
        return gain

    def leave(self, axes: tuple[str, ...]) -> None:
        """The editor has nothing more to try on these axes, from this state."""
        self.tries[axes] = TRIES

    def standing(self, step: Step) -> Standing:
        """How a step stands within the scope."""
        judged = [step.judged.get(name) for name in sorted(self.scope)]
        verdicts: list[Verdict | None] = [None if one is None else one.verdict for one in judged]
        points = sum(ORDINALS[verdict] for verdict in verdicts if verdict is not None)
        return Standing(points, sum(v in (None, "mismatch") for v in verdicts), len(verdicts))

    def _beats(self, step: Step, best: Step) -> bool:
        return self.standing(step).beats(self.standing(best))

    def stop(self) -> Reason | None:
        """Why to stop now; None to go on."""
        if self.best is None:
            return None
        standing = self.standing(self.best)
        if standing.axes and standing.mismatches == 0 and standing.overall >= self.rules.target:
            return "target"
        if self.since_gain >= self.rules.patience:
            return "patience"
        if len(self.steps) - 1 >= self.rules.max_iters:
            return "max_iters"
        return None if self.next() else "exhausted"

    def next(self) -> tuple[Target, ...]:
        """What to correct next; empty when every axis was left."""
        if self.best is None:
            return ()
        pair = next(self._pairs(), None) if self.rules.pairs else None
        single = next((t for t in self._targets() if self.tries.get((t.axis.name,), 0) < TRIES), None)
        return pair or ((single,) if single else ())

    def used(self, axes: tuple[str, ...]) -> tuple[str, ...]:
        """Wordings that were tried on these axes alone, in order."""
        return tuple(dict.fromkeys(w for step in self.steps if step.axes == axes for w in step.wordings))

    def _targets(self) -> Iterator[Target]:
        """Mismatches before partial matches, each in the order of the set."""
        for verdict in reversed(VERDICTS[1:]):
            yield from self._with(verdict)

    def _with(self, verdict: Verdict) -> Iterator[Target]:
        judged = self.best.judged if self.best else {}
        for axis in self.axes:
            one = judged.get(axis.name)
            if one is not None and one.verdict == verdict and one.ref is not None and one.gen is not None:
                yield Target(axis, one.ref, one.gen, verdict)

    def _pairs(self) -> Iterator[tuple[Target, ...]]:
        """Two mismatches that do not touch each other, tried once before they are tried alone."""
        fresh = [t for t in self._with("mismatch") if not self.tries.get((t.axis.name,))]
        for one, two in combinations(fresh, 2):
            if independent(one.axis, two.axis) and not self.tries.get((one.axis.name, two.axis.name)):
                yield one, two


def independent(one: Axis, two: Axis) -> bool:
    """Two axes of different groups, neither of which changes the other."""
    return one.group != two.group and one.name not in two.depends and two.name not in one.depends


def step_event(step: Step, climb: Climb, *, kept: bool, phase: str = "search") -> dict[str, Any]:
    """A step as the log has it; to be called once it was counted."""
    standing = climb.standing(step)
    return {
        "event": "step",
        "phase": phase,
        "iter": step.number,
        "axis": "+".join(step.axes) or None,
        "wordings": list(step.wordings),
        "old": step.old,
        "new": step.prompt,
        "seed": step.seed,
        "overall": standing.overall,
        "mismatch_count": standing.mismatches,
        "kept": kept,
        "file": step.file,
        "judge_tamper_suspected": step.tampered,
        "axes": {name: one.as_json() for name, one in step.judged.items()},
    }


def step_from(event: Mapping[str, Any]) -> Step:
    """The step that :func:`step_event` wrote."""
    return Step(
        number=event["iter"],
        axes=tuple(str(event["axis"]).split("+")) if event["axis"] else (),
        wordings=tuple(event["wordings"]),
        old=event["old"],
        prompt=event["new"],
        seed=event["seed"],
        judged={name: _judged(name, one) for name, one in event["axes"].items()},
        tampered=event["judge_tamper_suspected"],
        file=event["file"],
    )


def _judged(name: str, one: Mapping[str, Any]) -> Judged:
    verdict: Verdict | None = one["verdict"] if one["verdict"] in VERDICTS else None
    return Judged(name, verdict, one["ref"], one["gen"], one.get("reason", ""))

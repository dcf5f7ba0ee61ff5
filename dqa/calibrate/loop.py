"""The loop: correct, generate, compare, keep or go back. Everything it does is in the log before it goes on.

After a kill it goes on where the log ends: what was decided is not decided again, and a picture that is there is not
generated again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dqa.calibrate.axes import Axes
from dqa.calibrate.climb import Climb, Reason, Rules, Step, step_event, step_from
from dqa.calibrate.editor import Editor, EditRequest, together
from dqa.calibrate.judge import Judge
from dqa.calibrate.reference import Reference
from dqa.calibrate.view import View
from dqa.errors import InputError
from dqa.journal import Journal
from dqa.making import made_once

Tell = Callable[[str], None]
"""Told of every step, in a line."""

_SEARCH, _SEEDS = "search", "seeds"


class Generator(Protocol):
    """Whatever makes pictures from prompts."""

    def make(self, prompt: str, negative: str | None, seed: int | None, target: Path, name: str | None = None) -> Path:
        """Makes one at ``target`` with the suffix it has, whole or not at all; ``name`` tells two requests apart."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """What a run is made of.

    Attributes:
        name: its id: the same picture asked for twice is known by it.
        folder: where pictures and log lie.
        vary: how many further seeds the best prompt is tried with, once the target is reached.
        look: opens a picture.
    """

    name: str
    folder: Path
    axes: Axes
    rules: Rules
    judge: Judge
    editor: Editor
    generator: Generator
    look: Callable[[Path], View]
    reference: Reference
    prompt: str
    negative: str | None
    seed: int | None
    vary: int = 0


@dataclass(slots=True)
class Outcome:
    """How a run ended: why, the climb, and the best prompt under other seeds."""

    reason: Reason
    climb: Climb
    seeds: list[Step] = field(default_factory=list[Step])

    @property
    def best(self) -> Step:
        """The best step of the search."""
        if self.climb.best is None:
            raise RuntimeError("a run has a first step")
        return self.climb.best


def climb_on(run: Run, journal: Journal, tell: Tell) -> Outcome:
    """Begins a run, or goes on with it, until it stops.

    Raises:
        UnavailableError: the generator, the judge or the editor gave up; the same call goes on from there.
        Cancelled: the editor wants to stop here.
    """
    climb, seeds = _replay(run, journal)
    while (reason := climb.stop()) is None:
        edit = _pending(journal) or _decide(run, journal, climb)
        if edit is not None:
            _search(run, journal, climb, edit, tell)
    outcome = Outcome(reason, climb, seeds)
    if reason == "target":
        _try_seeds(run, journal, outcome, tell)
    last = journal.newest("edit", "step", "stop")
    if last is None or last["event"] != "stop":
        journal.write({"event": "stop", "reason": reason, "best_iter": outcome.best.number})
    return outcome


def _replay(run: Run, journal: Journal) -> tuple[Climb, list[Step]]:
    climb, seeds = Climb(run.axes, run.rules), list[Step]()
    for event in journal.events:
        if event["event"] == "step" and event["phase"] == _SEARCH:
            climb.take(step_from(event))
        elif event["event"] == "step":
            seeds.append(step_from(event))
    return climb, seeds


def _pending(journal: Journal) -> Mapping[str, Any] | None:
    """The edit that was decided and not yet judged."""
    last = journal.newest("edit", "step")
    return last if last is not None and last["event"] == "edit" and last["phase"] == _SEARCH else None


def _decide(run: Run, journal: Journal, climb: Climb) -> Mapping[str, Any] | None:
    """The next edit, logged; None when the editor had nothing on the axes that were due."""
    if climb.best is None:
        return _log_edit(journal, _SEARCH, 0, ((), ()), "", run.prompt, run.seed)
    targets = climb.next()
    axes = tuple(target.axis.name for target in targets)
    seen = frozenset(step.prompt for step in climb.steps)
    request = EditRequest(climb.best.prompt, targets, run.reference.canonical, climb.used(axes), seen)
    edit = run.editor.propose(request)
    if edit is None or edit.prompt in seen:
        climb.leave(axes)
        return None
    return _log_edit(journal, _SEARCH, _count(journal), (axes, edit.wordings), climb.best.prompt, edit.prompt, run.seed)


def _log_edit(
    journal: Journal,
    phase: str,
    number: int,
    what: tuple[tuple[str, ...], tuple[str, ...]],
    old: str,
    new: str,
    seed: int | None,
) -> Mapping[str, Any]:
    axes, wordings = what
    event = {
        "event": "edit",
        "phase": phase,
        "iter": number,
        "axes": list(axes),
        "wordings": list(wordings),
        "old": old,
        "new": new,
        "seed": seed,
    }
    journal.write(event)
    return event


def _count(journal: Journal) -> int:
    """How many pictures were decided on: no two share a number, and with it a file."""
    return sum(event["event"] == "edit" for event in journal.events)


def _search(run: Run, journal: Journal, climb: Climb, edit: Mapping[str, Any], tell: Tell) -> None:
    step = _judged(run, journal, edit)
    if climb.best is None:
        _check_judged(step)
    kept = climb.take(step)
    journal.write(step_event(step, climb, kept=kept))
    standing = climb.standing(step)
    what = f"{'+'.join(step.axes)}: {together(step.wordings)}" if step.axes else "the first prompt"
    verb = "kept" if kept else "reverted"
    tell(f"{step.number}. {what}: overall {standing.overall:.3f}, {standing.mismatches} mismatches, {verb}")


def _check_judged(step: Step) -> None:
    """A first picture on which nothing could be judged gives a climb no ground to stand on."""
    if all(one.verdict is None for one in step.judged.values()):
        why = next((one.reason for one in step.judged.values() if one.ref is not None), "the reference says nothing")
        raise InputError(f"no axis of the first picture could be judged: {why}", fix="begin with another --prompt")


def _judged(run: Run, journal: Journal, edit: Mapping[str, Any]) -> Step:
    """The picture of an edit, generated unless it is there, and compared."""

    def make(name: str) -> Path:
        return run.generator.make(edit["new"], run.negative, edit["seed"], target, name)

    target = run.folder / f"iter_{edit['iter']:03}"
    file = made_once(journal, run.name, target, make)
    compared = run.judge.compare(run.reference, run.look(file).observation)
    return Step(
        number=edit["iter"],
        axes=tuple(edit["axes"]),
        wordings=tuple(edit["wordings"]),
        old=edit["old"],
        prompt=edit["new"],
        seed=edit["seed"],
        judged={one.axis: one for one in compared.axes},
        tampered=compared.tampered,
        file=file.name,
    )


def _try_seeds(run: Run, journal: Journal, outcome: Outcome, tell: Tell) -> None:
    """The best prompt under the seeds after the frozen one: whether the gain is the prompt's or the seed's."""
    if run.seed is None:
        return
    best = outcome.best
    for seed in range(run.seed + 1 + len(outcome.seeds), run.seed + 1 + run.vary):
        edit: Mapping[str, Any] | None = journal.newest("edit", "step")
        if edit is None or edit["event"] != "edit" or edit["phase"] != _SEEDS:
            edit = _log_edit(journal, _SEEDS, _count(journal), ((), ()), best.prompt, best.prompt, seed)
        step = _judged(run, journal, edit)
        outcome.seeds.append(step)
        journal.write(step_event(step, outcome.climb, kept=False, phase=_SEEDS))
        tell(f"seed {seed}: overall {outcome.climb.standing(step).overall:.3f}")

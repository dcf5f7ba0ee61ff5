"""The loop: write, generate, verify, and write again with the advice, until it ends. The log has all before it goes on.

After a kill it goes on where the log ends: a prompt that was written is not written again, a clip that is there is not
generated again, and a verdict that was kept is not made again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dqa.errors import InputError
from dqa.ids import new_id
from dqa.journal import Journal
from dqa.making import made_once
from dqa.prompt import check_prompt
from dqa.record import EvaluationRecord
from dqa.refine.ports import Generator, Tried, Verifier, Writer, WriteRequest
from dqa.refine.record import Cycle, Outcome, Refinement, best_of
from dqa.refine.rule import Standards, ending

Tell = Callable[[str], None]
"""Told of every clip, in a line."""

SEEDS = 2**64
"""Seeds are below this."""

WHY: Mapping[Outcome, str] = {
    "accepted": "the clip is good enough",
    "review": "a person has to look at it",
    "exhausted": "no clip was good enough within the retries",
    "failed": "the clip could not be judged",
}


@dataclass(frozen=True, slots=True)
class Run:
    """What a run is made of.

    Attributes:
        id: the record's; the same clip asked for twice is known by it.
        folder: where clips and log lie.
        seed: of the first clip; each further one has the next. None for a generator without one.
        against: which text clips are judged against. The brief is what the user wants; a writer could lower the bar of
            its own prompt.
        generated_by: the generator's name in the record.
    """

    id: str
    created: str
    folder: Path
    brief: str
    user: str
    profile: str
    standards: Standards
    writer: Writer
    generator: Generator
    verifier: Verifier
    seed: int | None
    generated_by: str
    negative: str | None = None
    against: Literal["brief", "prompt"] = "brief"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, and why in words."""

    record: Refinement
    reason: str


def refine_on(run: Run, journal: Journal, tell: Tell) -> Ended:
    """Begins a run, or goes on with it, until it ends.

    Args:
        run: what it is made of.
        journal: its log, with the run's first line in it.
        tell: told of every clip.

    Raises:
        UnavailableError: writer, generator or verifier gave up; the same call goes on from there.
        Cancelled: the writer wants to stop here.
    """
    cycles = cycles_in(journal)
    while (outcome := ending(cycles, run.standards)) is None:
        step = _pending(journal) or _decide(run, journal, cycles)
        cycle, why = judged(run, journal, step)
        journal.write({"event": "cycle", **cycle.model_dump(mode="json"), "why": why})
        cycles.append(cycle)
        tell(f"{cycle.attempt}. {in_words(cycle)}")
    reason = _reason(journal, outcome)
    if not any(event["event"] == "stop" for event in journal.events):
        journal.write({"event": "stop", "outcome": outcome, "reason": reason})
    return Ended(_record(run, cycles, outcome), reason)


def cycles_in(journal: Journal) -> list[Cycle]:
    """The clips of a log that were judged."""
    names = Cycle.model_fields.keys()
    found = [event for event in journal.events if event["event"] == "cycle"]
    return [Cycle.model_validate({name: event[name] for name in names}) for event in found]


def seed_of(base: int | None, number: int) -> int | None:
    """The seed of clip ``number``, from 0: the one given, then the ones after it."""
    return None if base is None else (base + number) % SEEDS


def judged(run: Run, journal: Journal, step: Mapping[str, Any]) -> tuple[Cycle, str]:
    """The clip of a step, generated unless it is there, with its verdict; or why there is none."""

    def make(name: str) -> Path:
        return run.generator.make(step["prompt"], run.negative, step["seed"], target, name)

    target = run.folder / step["stem"]
    file = made_once(journal, run.id, target, make)
    cycle = Cycle(
        attempt=step["attempt"],
        prompt=step["prompt"],
        seed=step["seed"],
        media=os.fsencode(file.absolute()).decode("utf-8", "backslashreplace"),
        evaluation=None,
        grade=None,
        action=None,
        final=None,
        advice=(),
    )
    try:
        record = run.verifier.judge(file, run.brief if run.against == "brief" else step["prompt"], step["evaluation"])
    except InputError as error:
        return cycle, error.public()
    return cycle.model_copy(update=_of(record)), record.reasoning


def in_words(cycle: Cycle) -> str:
    """What a clip got, in a few words."""
    if cycle.evaluation is None:
        return f"not judged: {cycle.prompt}"
    score = "no grade" if cycle.final is None else f"{cycle.grade} ({cycle.final:.2f})"
    return f"{score}, {cycle.action}: {cycle.prompt}"


def step_event(run: Run, kind: str, number: int, prompt: str, seed: int | None, stem: str) -> dict[str, Any]:
    """A step as the log has it, before its clip is generated."""
    # The evaluation's id is drawn here: a verdict that was kept before a kill is found by it, and not made twice.
    return {
        "event": kind,
        "attempt": number,
        "prompt": check_prompt(prompt),
        "seed": seed,
        "evaluation": new_id("ev"),
        "stem": stem,
    }


def _pending(journal: Journal) -> Mapping[str, Any] | None:
    """The prompt that was written, and has no verdict yet."""
    last = journal.newest("prompt", "cycle")
    return last if last is not None and last["event"] == "prompt" else None


def _decide(run: Run, journal: Journal, cycles: Sequence[Cycle]) -> Mapping[str, Any]:
    tried = tuple(Tried(cycle.prompt, cycle.grade, cycle.advice) for cycle in cycles)
    prompt = run.writer.write(WriteRequest(run.brief, tried, run.standards))
    number = len(cycles) + 1
    event = step_event(run, "prompt", number, prompt, seed_of(run.seed, len(cycles)), f"attempt_{number:02}")
    journal.write(event)
    return event


def _of(record: EvaluationRecord) -> dict[str, Any]:
    return {
        "evaluation": record.id,
        "grade": record.grade,
        "action": record.action,
        "final": record.final,
        "advice": record.advice,
    }


def _reason(journal: Journal, outcome: Outcome) -> str:
    last = next(event for event in reversed(journal.events) if event["event"] == "cycle")
    return f"{WHY[outcome]}: {last['why']}" if outcome in ("review", "failed") else f"{WHY[outcome]}."


def _record(run: Run, cycles: Sequence[Cycle], outcome: Outcome) -> Refinement:
    best = best_of(cycles)
    return Refinement(
        id=run.id,
        created=run.created,
        brief=run.brief,
        user=run.user,
        profile=run.profile,
        writer=run.writer.name,
        generator=run.generated_by,
        min_grade=run.standards.min_grade,
        max_retries=run.standards.max_retries,
        outcome=outcome,
        cycles=tuple(cycles),
        accepted=cycles[-1].evaluation if outcome == "accepted" else None,
        best=best.evaluation if best is not None else None,
    )

"""A/B variations: further clips of a run's best prompt, for its user to choose between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dqa.errors import InputError, UsageError
from dqa.journal import Journal
from dqa.refine.loop import Run, Tell, judged, seed_of, step_event
from dqa.refine.record import Cycle, best_of

MOST = 4
"""Clips that a user is asked to choose between, the run's best among them."""


def vary(run: Run, journal: Journal, cycles: tuple[Cycle, ...], count: int, tell: Tell) -> list[Cycle]:
    """The best clip of a run, and ``count - 1`` more of its prompt with other seeds; ``attempt`` numbers them from 1.

    What is there from before a kill is not made again. All are judged against the same text, so that nothing but the
    clip differs.

    Raises:
        UsageError: the generator takes no seed: it would make the same clip again.
        InputError: the run has no clip that was judged, or a variation can't be judged.
        UnavailableError: as the loop.
    """
    best = best_of(cycles)
    if best is None:
        raise InputError("no clip of this run could be judged, so there is nothing to vary", fix="run it anew")
    if best.seed is None:
        raise UsageError("the workflow takes no seed, so variations would be the same clip", fix="give it a seed slot")
    made = [best.model_copy(update={"attempt": 1})]
    done = {event["attempt"]: event for event in journal.events if event["event"] == "variation"}
    begun = {event["attempt"]: event for event in journal.events if event["event"] == "vary"}
    for number in range(2, count + 1):
        if number in done:
            made.append(Cycle.model_validate({name: done[number][name] for name in Cycle.model_fields}))
            continue
        step = begun.get(number) or _begin(run, journal, best, number, len(cycles))
        cycle, why = judged(run, journal, step)
        if cycle.evaluation is None:
            raise InputError(f"variation {number} can't be judged: {why}", fix="run it anew with another --out")
        journal.write({"event": "variation", **cycle.model_dump(mode="json")})
        tell(f"variation {number} is made")
        made.append(cycle)
    return made


def _begin(run: Run, journal: Journal, best: Cycle, number: int, tried: int) -> Mapping[str, Any]:
    """The seeds after the run's own: no clip of it comes again."""
    seed = seed_of(run.seed, tried + number - 2)
    event = step_event(run, "vary", number, best.prompt, seed, f"variation_{number:02}")
    journal.write(event)
    return event

"""A finished run in figures: the best prompt, what each correction brought, and what other seeds make of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from dqa.calibrate.climb import Climb, Step
from dqa.calibrate.editor import together
from dqa.calibrate.loop import Outcome, Run

SCHEMA = "dqa.calibration-run/1"

REASONS = {
    "target": "The target was reached.",
    "patience": "No correction helped any more.",
    "max_iters": "The most corrections allowed were made.",
    "exhausted": "There was nothing left to try.",
}


def summary(run: Run, outcome: Outcome, tag: str) -> dict[str, Any]:
    """The run as JSON; every figure over the same axes, those that were judged in the states that were kept."""
    climb = outcome.climb
    best = outcome.best
    unjudged = {name: one.reason for name, one in best.judged.items() if one.verdict is None}
    return {
        "schema": SCHEMA,
        "run_tag": tag,
        "reason": outcome.reason,
        "target_reached": outcome.reason == "target",
        "iterations": len(climb.steps) - 1,
        "best": told(climb, best),
        "first": told(climb, climb.steps[0]),
        "attribution": list(attribution(climb)),
        "seeds": [told(climb, step) for step in outcome.seeds],
        "best_seed": best_seed(outcome),
        "unjudged": unjudged,
        "judge_tamper_suspected": any(step.tampered for step in climb.steps),
        "canonical_reference": run.reference.canonical,
        "editor": run.editor.name,
        "judge": run.judge.identity.model_dump(mode="json", exclude_none=True),
        "negative": run.negative,
    }


def told(climb: Climb, step: Step) -> dict[str, Any]:
    """One step."""
    standing = climb.standing(step)
    return {
        "iter": step.number,
        "prompt": step.prompt,
        "seed": step.seed,
        "overall_score": standing.overall,
        "mismatch_count": standing.mismatches,
        "file": step.file,
        "axes": {name: one.as_json() for name, one in step.judged.items()},
    }


def attribution(climb: Climb) -> Iterator[dict[str, Any]]:
    """What each correction that was kept brought."""
    by_number = {step.number: step for step in climb.steps}
    kept = [by_number[number] for number in climb.kept]
    for before, step in pairwise(kept):
        one, other = climb.standing(before), climb.standing(step)
        yield {
            "iter": step.number,
            "axis": "+".join(step.axes),
            "wording": together(step.wordings),
            "delta_overall": other.overall - one.overall,
            "delta_mismatches": other.mismatches - one.mismatches,
        }


def best_seed(outcome: Outcome) -> int | None:
    """The seed under which the best prompt stands best; the frozen one unless another beats it."""
    best = outcome.best
    for step in outcome.seeds:
        standing, so_far = outcome.climb.standing(step), outcome.climb.standing(best)
        if standing.beats(so_far) and not step.tampered:
            best = step
    return best.seed

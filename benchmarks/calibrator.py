"""How often does the calibrator climb from one prompt of the weight-free workflow to another's picture?

    python -m benchmarks.calibrator

Measured verdicts, rules as editor. Every pair of the 16 prompts (size, colour, side, ground) of
``fake_t2i_vanilla``; and every 13th of the pairs whose target also has a word on light or colour, which the generator
obeys: it darkens, brightens, flattens or bleaches the whole picture. Prints the share that ends with an overall score
of 0.9 or more after at most ten corrections, the mean number of corrections, and why runs ended.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterable
from functools import cache
from itertools import product
from pathlib import Path

from dqa.calibrate.axes import default_axes
from dqa.calibrate.climb import Climb, Rules, Step
from dqa.calibrate.editor import EditRequest
from dqa.calibrate.measured import MeasuredJudge
from dqa.calibrate.rules import RuleEditor
from dqa.measure.observation import Observation
from tests.calibrate.painter import paint
from tests.calibrate.pictures import seen

GRAPH = json.loads(Path("tests/data/workflows/fake_t2i_vanilla_api.json").read_text(encoding="utf-8"))
SCENES = [
    f"a {size} {colour} square at the {side} on a {ground} background"
    for size, colour, side, ground in product(
        ("small", "large"), ("white", "yellow"), ("left", "right"), ("blue", "red")
    )
]
LIGHT = ("dark", "bright", "low contrast", "black and white")
AXES = default_axes()


@cache
def picture(prompt: str, seed: int) -> Observation:
    graph = copy.deepcopy(GRAPH)
    graph["1"]["inputs"]["value"], graph["3"]["inputs"]["value"] = prompt, seed
    return seen(paint(graph, light=True))


def climb(begin: str, wanted: str) -> Climb:
    judge, editor, state = MeasuredJudge(AXES), RuleEditor(AXES), Climb(AXES, Rules())
    reference = judge.describe(picture(wanted, 7)).reference

    def step(axes: tuple[str, ...], wordings: tuple[str, ...], prompt: str) -> None:
        compared = judge.compare(reference, picture(prompt, 42))
        judged = {one.axis: one for one in compared.axes}
        state.take(Step(len(state.steps), axes, wordings, "", prompt, 42, judged, tampered=False, file=""))

    step((), (), begin)
    while state.stop() is None and state.best is not None:
        targets = state.next()
        axes = tuple(target.axis.name for target in targets)
        tried = frozenset(step.prompt for step in state.steps)
        edit = editor.propose(EditRequest(state.best.prompt, targets, "", state.used(axes), tried))
        if edit is None:
            state.leave(axes)
        else:
            step(axes, edit.wordings, edit.prompt)
    return state


def report(name: str, pairs: Iterable[tuple[str, str]]) -> str:
    climbs = [climb(begin, wanted) for begin, wanted in pairs]
    counts = [len(state.steps) - 1 for state in climbs]
    good = [
        state.best is not None and state.standing(state.best).overall >= 0.9 and count <= 10
        for state, count in zip(climbs, counts, strict=True)
    ]
    ends = Counter(state.stop() for state in climbs)
    mean = sum(counts) / len(counts)
    return f"{name}: {sum(good)} of {len(good)} reach 0.9 in 10 corrections; mean {mean:.1f}; ended by {dict(ends)}"


def main() -> None:
    lit = [(a, f"{b}, {words}") for a, b, words in product(SCENES, SCENES, LIGHT)]
    # A step that shares no factor with the lists' lengths meets every kind of pair.
    print(report("light", lit[::13]), flush=True)
    print(report("scenes", ((a, b) for a, b in product(SCENES, SCENES) if a != b)))


if __name__ == "__main__":
    main()

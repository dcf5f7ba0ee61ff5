"""The whole climb on pixels: measured verdicts, rules as editor, and a generator that obeys the words of its prompt."""

from __future__ import annotations

import copy
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pictures

from dqa.calibrate.axes import default_axes
from dqa.calibrate.climb import Rules
from dqa.calibrate.loop import Outcome, Run, climb_on
from dqa.calibrate.measured import MeasuredJudge
from dqa.calibrate.rules import RuleEditor
from dqa.calibrate.view import look_at
from dqa.config import Settings
from dqa.journal import Journal
from tests.calibrate.painter import paint
from tests.calibrate.pictures import seen

GRAPH = json.loads((Path(__file__).parents[1] / "data" / "workflows" / "fake_t2i_vanilla_api.json").read_text())
AXES = default_axes()


class Local:
    """The weight-free workflow, run in this process."""

    def __init__(self, *, light: bool = False) -> None:
        self.light = light
        self.seeds: list[int | None] = []

    def picture(self, prompt: str, seed: int) -> Any:
        graph = copy.deepcopy(GRAPH)
        graph["1"]["inputs"]["value"], graph["3"]["inputs"]["value"] = prompt, seed
        return paint(graph, light=self.light)

    def make(self, prompt: str, negative: str | None, seed: int | None, target: Path, name: str | None = None) -> Path:
        self.seeds.append(seed)
        file = target.with_name(target.name + ".png")
        Pictures.fromarray(self.picture(prompt, seed or 0)).save(file)
        return file


def climbed(folder: Path, makes: Local, wrong: str, wanted: str, **rules: Any) -> Outcome:
    """From a wrong prompt to a picture that was made with another prompt and another seed."""
    judge = MeasuredJudge(AXES)
    reference = judge.describe(seen(makes.picture(wanted, 7))).reference
    settings = Settings(home=folder)  # type: ignore[call-arg]
    with Journal(folder / "log.jsonl", "calibration", "--run-tag") as journal:
        journal.write({"event": "start"})
        run = Run(
            name="proof", folder=folder, axes=AXES, rules=Rules(**rules), judge=judge, editor=RuleEditor(AXES),
            generator=makes, look=lambda path: look_at(path, settings), reference=reference, prompt=wrong,
            negative=None, seed=42, vary=1,
        )  # fmt: skip
        return climb_on(run, journal, lambda _: None)


@pytest.mark.parametrize(
    ("wrong", "wanted"),
    [
        ("a small white square on a blue background", "a large yellow square at the left on a red background"),
        ("a huge yellow square at the left, red background", "a small white square on a blue background"),
        ("a fox in the snow", "a big yellow square on a red background"),
        ("a small yellow square on a red background", "a small white square at the left on a red background"),
    ],
)
def test_it_climbs_from_a_wrong_prompt_in_ten_corrections(wrong: str, wanted: str, tmp_path: Path) -> None:
    makes = Local()
    outcome = climbed(tmp_path, makes, wrong, wanted)
    assert outcome.reason == "target"
    assert outcome.climb.standing(outcome.best).overall >= 0.9
    assert outcome.climb.standing(outcome.best).mismatches == 0
    assert len(outcome.climb.steps) - 1 <= 10
    assert all(len(step.axes) == 1 for step in outcome.climb.steps[1:])
    assert makes.seeds == [42] * len(outcome.climb.steps) + [43]
    standings = [outcome.climb.standing(step) for step in outcome.climb.steps if step.number in outcome.climb.kept]
    assert all(later.beats(earlier) for earlier, later in pairwise(standings))


@pytest.mark.parametrize("extra", ["dark", "bright", "low contrast", "black and white"])
def test_light_and_colour_follow_words_too(extra: str, tmp_path: Path) -> None:
    wanted = f"a small white square on a red background, {extra}"
    outcome = climbed(tmp_path, Local(light=True), "a small white square on a red background", wanted)
    assert outcome.climb.standing(outcome.best).overall >= 0.9
    assert outcome.climb.standing(outcome.best).mismatches == 0
    assert len(outcome.climb.steps) - 1 <= 10


def test_two_at_once_is_quicker_where_it_is_allowed(tmp_path: Path) -> None:
    wrong, wanted = "a small white square on a blue background", "a large yellow square at the left on a red background"
    outcome = climbed(tmp_path, Local(), wrong, wanted, pairs=True)
    assert outcome.reason == "target"
    assert len(outcome.climb.steps) - 1 == 2

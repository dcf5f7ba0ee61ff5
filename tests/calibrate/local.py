"""The climb on pixels, without a server: measured verdicts, and a generator that obeys the words of its prompt."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from PIL import Image as Pictures

from dqa.calibrate.axes import default_axes
from dqa.calibrate.climb import Rules
from dqa.calibrate.editor import Editor
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


def climbed(folder: Path, makes: Local, wrong: str, wanted: str, editor: Editor | None = None, **rules: Any) -> Outcome:
    """From a wrong prompt to a picture that was made with another prompt and another seed."""
    judge = MeasuredJudge(AXES)
    reference = judge.describe(seen(makes.picture(wanted, 7))).reference
    settings = Settings(home=folder)  # type: ignore[call-arg]
    with Journal(folder / "log.jsonl") as journal:
        journal.write({"event": "start"})
        run = Run(
            name="proof", folder=folder, axes=AXES, rules=Rules(**rules), judge=judge,
            editor=editor or RuleEditor(AXES), generator=makes, look=lambda path: look_at(path, settings),
            reference=reference, prompt=wrong, negative=None, seed=42, vary=1,
        )  # fmt: skip
        return climb_on(run, journal, lambda _: None)

"""A small world to climb in: pictures are texts, and a judge finds in them what their prompts say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dqa.calibrate.axes import Axes, Axis
from dqa.calibrate.climb import Rules
from dqa.calibrate.editor import Editor
from dqa.calibrate.judge import Comparison
from dqa.calibrate.loop import Outcome, Run, climb_on
from dqa.calibrate.reference import Reference
from dqa.calibrate.rules import RuleEditor
from dqa.calibrate.verdicts import Judged, Verdict
from dqa.errors import ServiceUnavailable
from dqa.journal import Journal
from dqa.record import ModelIdentity


def axis(name: str, *lever: str, group: str = "", **more: Any) -> Axis:
    return Axis(name=name, group=group or name, definition=f"What {name} is.", lever=lever or ("{value}",), **more)


AXES = Axes((axis("mood", "{value} mood", "{value} air"), axis("hat", "{value} hat"), axis("coat", "{value} coat")))
REFERENCE = Reference("A person.", {"mood": "calm", "hat": "red", "coat": "blue"})
OBEYED = {"mood": "calm mood", "hat": "red hat", "coat": "blue coat"}


@dataclass
class World:
    """Generator, judge and look in one.

    Attributes:
        obeyed: axis -> the words that make it match.
        otherwise: the verdict without them, an axis; None for no verdict.
        spoils: words -> the axis that they turn into a mismatch.
        tampers: words that make the picture hold text for the judge.
        failing: by their number from 1, the requests that fail.
    """

    obeyed: Mapping[str, str] = field(default_factory=lambda: OBEYED)
    otherwise: Mapping[str, Verdict | None] = field(default_factory=dict[str, "Verdict | None"])
    spoils: Mapping[str, str] = field(default_factory=dict[str, str])
    tampers: str = "\0"
    failing: frozenset[int] = frozenset()
    names: list[str | None] = field(default_factory=list["str | None"])
    made: list[tuple[str, int | None]] = field(default_factory=list[tuple[str, "int | None"]])
    identity: ModelIdentity = field(default_factory=lambda: ModelIdentity(id="world", licence="none"))

    def make(self, prompt: str, negative: str | None, seed: int | None, target: Path, name: str | None = None) -> Path:
        self.names.append(name)
        if len(self.names) in self.failing:
            raise ServiceUnavailable("the generator is gone", fix="start it")
        self.made.append((prompt, seed))
        file = target.with_name(target.name + ".txt")
        file.write_text(prompt)
        return file

    def look(self, path: Path) -> Any:
        return SimpleNamespace(observation=path.read_text())

    def describe(self, picture: Any) -> Any:
        raise NotImplementedError

    def complete(self, reference: Reference) -> Reference:
        return reference

    def compare(self, reference: Reference, picture: Any) -> Comparison:
        axes = tuple(self._judged(name, ref, picture) for name, ref in reference.values.items())
        return Comparison(axes, tampered=self.tampers in picture)

    def _judged(self, name: str, ref: str, prompt: str) -> Judged:
        verdict = "match" if self.obeyed.get(name, "\0") in prompt else self.otherwise.get(name, "mismatch")
        spoilt = any(words in prompt and axis == name for words, axis in self.spoils.items())
        verdict = "mismatch" if spoilt else verdict
        return Judged(name, verdict, ref, "something else" if verdict else None, "" if verdict else "not seen")


def climbed(folder: Path, world: World, rules: Rules | None = None, **changes: Any) -> Outcome:
    """Begins a run in ``folder``, or goes on with the one that is there."""
    editor: Editor = changes.pop("editor", None) or RuleEditor(changes.get("axes", AXES))
    options = {"axes": AXES, "reference": REFERENCE, "prompt": "a person", "seed": 7, **changes}
    with Journal(folder / "log.jsonl", "calibration", "--run-tag") as journal:
        if not journal.events:
            journal.write({"event": "start"})
        run = Run(
            name="r", folder=folder, rules=rules or Rules(), judge=world, editor=editor, generator=world,
            look=world.look, negative=None, **options,
        )  # fmt: skip
        return climb_on(run, journal, lambda _: None)

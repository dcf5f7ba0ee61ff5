"""A small world to refine in: clips are text files, and a script says what each attempt gets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dqa.clip.frame import Frame
from dqa.errors import InputError, ServiceUnavailable
from dqa.journal import Journal
from dqa.record import EvaluationRecord
from dqa.refine.loop import Ended, Run, refine_on
from dqa.refine.ports import Writer
from dqa.refine.rule import Standards
from dqa.refine.rules import RuleWriter
from dqa.synthesis import grade_of
from tests.report.example import record_data

FRAMES = tuple(Frame(i, i / 16, np.full((24, 32, 3), 40 * (i % 6), np.uint8)) for i in range(9))
BRIEF = "a dark wolf prowling through a moonlit forest"
JITTER = "motion uneven -> reduce prompt complexity; ask for one slow, continuous movement"
LOST = "Not found in the picture: moonlit forest -> name it earlier in the prompt, or drop what competes with it."

Got = float | str | None
"""What a clip gets: a final score, a score with the action "review" ("review 0.8"), None for no grade, or "broken"."""


@dataclass
class World:
    """Generator and verifier in one.

    Attributes:
        gets: what the clips get, by their number; the last one counts for all that follow.
        advice: what every verdict advises.
        down_at: names of clips (``attempt_02``) at which the generator is gone once.
    """

    gets: Sequence[Got]
    advice: tuple[str, ...] = (JITTER,)
    down_at: set[str] = field(default_factory=set[str])
    made: list[tuple[str, int | None]] = field(default_factory=list[tuple[str, "int | None"]])
    judged: list[str] = field(default_factory=list[str])
    against: list[str] = field(default_factory=list[str])
    kept: dict[str, EvaluationRecord] = field(default_factory=dict[str, EvaluationRecord])

    def make(self, prompt: str, negative: str | None, seed: int | None, target: Path, name: str | None = None) -> Path:
        del negative, name
        if target.name in self.down_at:
            self.down_at.remove(target.name)
            raise ServiceUnavailable("ComfyUI does not answer", fix="start it")
        self.made.append((prompt, seed))
        file = target.with_name(target.name + ".mp4")
        file.write_text(f"{prompt} {seed}")
        return file

    def judge(self, media: Path, prompt: str, evaluation: str) -> EvaluationRecord:
        if evaluation in self.kept:
            return self.kept[evaluation]
        self.judged.append(media.name)
        self.against.append(prompt)
        got = self.gets[min(int(media.stem[-2:]), len(self.gets)) - 1]
        if got == "broken":
            raise InputError("the media can't be decoded", fix="give another", where=str(media))
        record = verdict(got, prompt, self.advice, evaluation, hashlib.sha256(media.read_bytes()).hexdigest())
        self.kept[evaluation] = record
        return record


def verdict(
    got: Got, prompt: str, advice: Sequence[str] = (), evaluation: str = "ev_1", sha256: str | None = None
) -> EvaluationRecord:
    """A record with that verdict."""
    media = _plain().media.model_copy(update={} if sha256 is None else {"sha256": sha256})
    changes: dict[str, Any] = {"id": evaluation, "prompt": prompt, "advice": tuple(advice), "media": media}
    if got is None:
        changes.update(final=None, grade=None, action="review", prompt_adherence=None, weights={})
    else:
        final = float(str(got).removeprefix("review "))
        grade, action = grade_of(final)
        changes.update(final=final, grade=grade, action="review" if isinstance(got, str) else action)
    return _plain().model_copy(update=changes)


@cache
def _plain() -> EvaluationRecord:
    return EvaluationRecord.model_validate(record_data("clip", FRAMES, 32, 24, good=True))


def run_in(world: World, folder: Path, **changes: Any) -> Run:
    """A run in that world; everything may be changed."""
    writer: Writer = RuleWriter()
    parts: Mapping[str, Any] = {
        "id": "rf_1",
        "created": "2026-01-01T00:00:00.000+00:00",
        "folder": folder,
        "brief": BRIEF,
        "user": "mira",
        "profile": "embedded",
        "standards": Standards(),
        "writer": writer,
        "generator": world,
        "verifier": world,
        "seed": 7,
        "generated_by": "world",
    }
    return Run(**{**parts, **changes})


def refined(world: World, folder: Path, told: list[str] | None = None, **changes: Any) -> Ended:
    """Runs, or goes on with the run that is in the folder."""
    with Journal(folder / "log.jsonl") as journal:
        if not journal.events:
            journal.write({"event": "start"})
        return refine_on(run_in(world, folder, **changes), journal, (told if told is not None else []).append)

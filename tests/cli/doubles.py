"""The command line without model code: an evaluator whose verdict is in the clip's file name.

``clip-0.74.mp4`` gets 0.74, ``none.mp4`` no score at all; what can't be opened fails as the real one would.
Run as a module, this file is ``dqa`` with that evaluator in place, for tests that need a process of their own.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dqa.cli import guard, runtime
from dqa.clip.frame import Frame
from dqa.config import Settings
from dqa.errors import MediaNotFound, ModelUnavailable, UnsupportedMedia
from dqa.evaluation.request import Item, TasteSource
from dqa.ids import new_id
from dqa.prompt.check import check_prompt
from dqa.record import EvaluationRecord
from dqa.synthesis import grade_of
from tests.report.example import ExampleEvaluation, ExampleObservation, record_data

FRAMES = tuple(Frame(i, i / 16, np.full((24, 32, 3), 40 * (i % 6), np.uint8)) for i in range(9))


class ScriptedEvaluator:
    """Grades by file name. ``seen`` lists what it was asked to judge."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.seen: list[dict[str, Any]] = []

    def run(self, media: Path, prompt: str, **asked: Any) -> Any:
        self.seen.append({"media": media, "prompt": prompt, **asked})
        prompt = check_prompt(prompt)
        if not media.is_file():
            raise MediaNotFound("no such file", fix="check the path", where=str(media))
        content = media.read_bytes()
        if content.startswith(b"not a video"):
            raise UnsupportedMedia("not a video or image", fix="give an mp4 file", where=str(media))
        if "nomodel" in media.name:
            raise ModelUnavailable("the weights are gone", fix="run make setup")
        if "crash" in media.name:
            raise ZeroDivisionError("secret detail")
        if "slow" in media.name:
            media.with_name("underway").touch()
            time.sleep(float(os.environ["DQA_TEST_SLOW_S"]))
        if asked.get("progress"):
            asked["progress"]("decode", 0.2)
        return ExampleEvaluation(self._record(media, content, prompt, asked), ExampleObservation(FRAMES, 4))

    def _record(self, media: Path, content: bytes, prompt: str, asked: dict[str, Any]) -> EvaluationRecord:
        data = record_data("clip", FRAMES, 32, 24, good=True)
        sha256 = hashlib.sha256(content).hexdigest()
        user = asked.get("user") or self.settings.user
        data.update(
            id=asked.get("evaluation_id") or new_id("ev"), prompt=prompt, user=user, profile=self.settings.profile
        )
        data["media"]["sha256"] = sha256
        data["timings_s"] = {"total": time.perf_counter()}
        seed = self.settings.seed if asked.get("seed") is None else asked["seed"]
        name = asked.get("media_name") or os.fsencode(media.absolute()).decode("utf-8", "backslashreplace")
        data["reproduce"].update(
            media=name, sha256=sha256, prompt=prompt, user=user, profile=self.settings.profile, seed=seed
        )
        data.update(_verdict(media.name))
        return EvaluationRecord.model_validate(data)


def _verdict(name: str) -> dict[str, Any]:
    number = re.search(r"[01]\.\d+", name)
    if number is None:
        return {"final": None, "grade": None, "action": "review", "prompt_adherence": None, "weights": {}}
    final = float(number.group())
    grade, action = grade_of(final)
    return {"final": final, "grade": grade, "action": action}


class ClusterEvaluator(ScriptedEvaluator):
    """The same in a process of a cluster; under a clip named ``die`` the process is killed."""

    at_once = 1

    def run_many(self, items: Iterable[Item]) -> Iterator[Any]:
        for item in items:
            if "die" in item.media.name:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                yield self.run(item.media, item.prompt, **item.options)
            except Exception as error:  # noqa: BLE001 - given in its place, as the real one does
                yield error


def for_cluster(settings: Settings, taste: TasteSource) -> ClusterEvaluator:
    """What the evaluators of a cluster are made by."""
    del taste
    return ClusterEvaluator(settings)


def install() -> None:
    """Puts the scripted evaluator in the place of the real one, for the rest of this process."""
    runtime.make_evaluator = ScriptedEvaluator
    runtime.CLUSTER_EVALUATOR = "tests.cli.doubles:for_cluster"


if __name__ == "__main__":
    install()
    raise SystemExit(guard.run())

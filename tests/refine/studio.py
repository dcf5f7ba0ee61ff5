"""A stand-in ComfyUI that gives out real clips, and an evaluator that knows what each of them gets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dqa.cli import guard, runtime
from dqa.config import Settings
from dqa.errors import ServiceUnavailable
from tests.cli.doubles import FRAMES
from tests.comfy import standin
from tests.conftest import CLIPS
from tests.refine.worlds import JITTER, LOST, verdict
from tests.report.example import ExampleEvaluation, ExampleObservation

WORKFLOW = Path(__file__).parents[1] / "data" / "workflows" / "tiny_ksampler_t2v_api.json"
FINALS = {"wan21_04_base": 0.3, "wan21_01_base": 0.45, "wan21_04_flex": 0.75, "wan21_07_base": 0.65}
"""Clips in the order in which they are given out, and their final scores."""

ADVICE = {0.3: (LOST, JITTER), 0.45: (JITTER,)}


@dataclass
class Studio(standin.StandIn):
    """Gives out the next clip for each new prompt and seed.

    Attributes:
        asked: what it was asked for, in order.
    """

    asked: list[tuple[str, int]] = field(default_factory=list)
    clips: tuple[str, ...] = tuple(FINALS)

    def _refuse(self, graph: Any) -> dict[str, Any] | None:
        del graph
        return None

    def _make(self, job: dict[str, Any]) -> dict[str, Any]:
        graph = job["graph"]
        self.asked.append((graph["6"]["inputs"]["text"], graph["3"]["inputs"]["seed"]))
        self.counter += 1
        name = f"clip_{self.counter:05}_.mp4"
        self.files[name] = (CLIPS / f"{self.clips[(len(self.asked) - 1) % len(self.clips)]}.mp4").read_bytes()
        return {"9": {"images": [{"filename": name, "subfolder": "", "type": "output"}], "animated": [True]}}


class Judge:
    """In the place of the evaluator: knows clips by their content, whatever they are called."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.known = {_hash(CLIPS / f"{name}.mp4"): final for name, final in FINALS.items()}

    def run(self, media: Path, prompt: str, **asked: Any) -> Any:
        sha256 = _hash(media)
        final = self.known.get(sha256)
        if final is None:
            raise ServiceUnavailable("this judge does not know the clip", fix="give out one of FINALS")
        record = verdict(final, prompt, ADVICE.get(final, ()), asked["evaluation_id"], sha256)
        seen = {"user": self.settings.user, "profile": self.settings.profile}
        return ExampleEvaluation(record.model_copy(update=seen), ExampleObservation(FRAMES, 4))


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    runtime.make_evaluator = Judge
    raise SystemExit(guard.run())

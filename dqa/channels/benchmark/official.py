"""The benchmark channel by the official ``vbench`` package: its own numbers, from its own code, in its own environment.

A dimension's ``raw`` is VBench's number and its score the leaderboard's normalisation, clipped to [0, 1]. The channel
is the mean of the dimensions by their share of the leaderboard's total. Four of VBench's dimensions are best for a
clip that stands still (docs/design/vbench-2.md), so in that mean each of them counts by the share of the clip that
moves, as measured here.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar

from pydantic import JsonValue

from dqa.channels.benchmark.channel import confidence
from dqa.channels.contract import ChannelFacts, EvaluationContext
from dqa.errors import ModelUnavailable, UnavailableError
from dqa.measure.observation import Observation
from dqa.measure.repeats import find_repeats
from dqa.models.pool import ModelPool
from dqa.models.vbench_env.client import VBenchRunner
from dqa.models.vbench_env.dimensions import NOT_FOR_ONE_CLIP, OFFICIAL
from dqa.models.vbench_env.environment import PACKAGE, VBenchEnvironment
from dqa.prompt.parse import Prompt
from dqa.record import ChannelResult, Dimension, ModelIdentity

_WEAK = 0.7


class OfficialBenchmark:
    """VBench as published, on one clip.

    Args:
        pool: of the profile; says where the state folder and which the device is.
        components: none; the weights are VBench's own files.
        timeout_s: longest that one dimension may take.

    Raises:
        ModelUnavailable: its environment is not there.
    """

    facts: ClassVar[ChannelFacts] = ChannelFacts(
        name="benchmark",
        question="What does VBench's own code say about the clip?",
        needs_prompt=True,
        stills=False,
    )

    def __init__(self, *, pool: ModelPool, components: tuple[str, ...] = (), timeout_s: float = 600.0) -> None:
        if components:
            raise ValueError("the vbench package takes no component of the profile")
        self._environment = VBenchEnvironment(pool.home)
        self._environment.require()
        device = "cuda" if pool.profile.device == "cuda" else "cpu"
        self._runner = VBenchRunner(self._environment, device=device, timeout_s=timeout_s)

    @property
    def model(self) -> ModelIdentity:
        return ModelIdentity(
            id="vbench-official",
            revision=PACKAGE,
            licence="Apache-2.0; each weight file its own",
            weakness="a still clip is best in four of its dimensions, and none is scaled to the frame rate but one",
        )

    def evaluate(self, observation: Observation, prompt: Prompt, context: EvaluationContext) -> ChannelResult:
        """Judges one clip; ``raw`` holds the dimensions that say nothing on one clip, and why."""
        if observation.media.kind == "image":
            return ChannelResult(status="abstained", reason="VBench judges video, not an image", model=self.model)
        media = the_very_clip(context.media, observation.media.sha256)
        found = self._dimensions(media, prompt.text)
        judged = {name: one.score for name, one in found.items() if one.score is not None}
        raw: dict[str, JsonValue] = {"not_for_one_clip": {**NOT_FOR_ONE_CLIP}}
        if not judged:
            reason = "no dimension of VBench could run; each says why"
            return ChannelResult(status="unavailable", reason=reason, model=self.model, raw=raw, dimensions=found)
        moving = 1.0 - find_repeats(observation.signals).still
        return ChannelResult(
            status="ok",
            score=total(judged, moving),
            confidence=confidence(observation.media, observation.signals.frames, len(judged) / len(OFFICIAL)),
            reason=_reason(found, judged, moving),
            model=self.model,
            raw={**raw, "moving": moving},
            dimensions=found,
        )

    def _dimensions(self, media: Path, prompt: str) -> dict[str, Dimension]:
        blocked = self._environment.blocked()
        found: dict[str, Dimension] = {}
        for name in OFFICIAL:
            if name in blocked:
                found[name] = Dimension(score=None, raw=None, status="unavailable", reason=blocked[name])
            else:
                found[name] = self._dimension(media, name, prompt)
        return found

    def _dimension(self, media: Path, name: str, prompt: str) -> Dimension:
        try:
            value = self._runner.measure(media, name, prompt)
        except UnavailableError as error:  # the other dimensions go on
            return Dimension(score=None, raw=None, status="failed", reason=error.public())
        return Dimension(
            score=OFFICIAL[name].score(value), raw=value, status="ok", reason=f"VBench's number {value:.4f}"
        )


def the_very_clip(media: Path | None, sha256: str) -> Path:
    """The file that was observed: VBench reads it itself.

    Raises:
        ModelUnavailable: there is none, or it is another by now.
    """
    if media is None:
        raise ModelUnavailable("VBench reads the file itself, and there is none here", fix="evaluate the file")
    with media.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise ModelUnavailable("the file changed while it was evaluated", fix="evaluate it again")
    return media


def total(scores: dict[str, float], moving: float) -> float:
    """Mean by share of the leaderboard's total; what standing still wins counts by the share that moves, 0 to 1.

    >>> total({"temporal_flickering": 1.0, "dynamic_degree": 0.0}, moving=0.0)
    0.0
    """
    weights = {name: OFFICIAL[name].weight for name in scores}
    earned = sum(
        weights[name] * score * (moving if OFFICIAL[name].still_wins else 1.0) for name, score in scores.items()
    )
    return min(1.0, earned / sum(weights.values()))


def _reason(found: dict[str, Dimension], judged: dict[str, float], moving: float) -> str:
    worst = min(judged, key=lambda name: judged[name])
    lead = "Weakest" if judged[worst] < _WEAK else "Lowest"
    still = f" Only the {100 * moving:.0f} % of the clip that moves count." if moving < 0.98 else ""
    silent = [name.replace("_", " ") for name, one in found.items() if one.score is None]
    tail = f" Could not run: {', '.join(silent)}." if silent else ""
    name = worst.replace("_", " ")
    return f"VBench, {len(judged)} of {len(found)} dimensions. {lead}: {name} {judged[worst]:.2f}.{still}{tail}"

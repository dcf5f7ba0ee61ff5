"""A profile of fake models and channels: what is loaded, asked and moved is written down, scores come from the clip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch

from dqa.channels.contract import ChannelFacts, EvaluationContext
from dqa.config import Settings
from dqa.measure.observation import Observation
from dqa.models.pool import ModelPool
from dqa.models.profiles import ChannelSpec, Component, Profile
from dqa.prompt.parse import Prompt
from dqa.record import ChannelName, ChannelResult, ModelIdentity

EVENTS: list[tuple[str, ...]] = []
"""What happened, in order."""

TROUBLE: list[Callable[[str, Any, Observation], bool]] = []
"""While one of these is true of (channel, its model, clip), memory runs out."""

RAISED: Exception = torch.OutOfMemoryError("CUDA out of memory")
"""How that is said."""


class FakeModel:
    """A model that can take smaller batches and move."""

    full_batch = 4

    def __init__(self, name: str, device: str) -> None:
        self.name, self.device, self.batch = name, device, self.full_batch

    def smaller_batch(self) -> bool:
        if self.batch == 1:
            return False
        self.batch //= 2
        return True

    def to(self, device: str) -> None:
        self.device = device


def load(component: Component, settings: Settings) -> FakeModel:
    EVENTS.append(("load", component.id))
    return FakeModel(component.id, str(component.arguments.get("device", "cuda")))


class _Fake:
    """Scores by the clip's own pixels and what it may read of other channels."""

    facts: ClassVar[ChannelFacts]

    def __init__(self, *, pool: ModelPool, components: tuple[str, ...]) -> None:
        self._pool, self._components = pool, components

    @property
    def model(self) -> ModelIdentity:
        return ModelIdentity(id="fake", licence="none")

    def evaluate(self, observation: Observation, prompt: Prompt, context: EvaluationContext) -> ChannelResult:
        name = self.facts.name
        models = [self._pool.get(component) for component in self._components]
        EVENTS.append(("ask", name, observation.media.sha256[:4]))
        if any(trouble(name, models, observation) for trouble in TROUBLE):
            raise RAISED
        told = {other: result.score for other, result in context.results.items()}
        score = float(observation.stills[0].image.mean()) / 255
        shown: dict[str, Any] = {"read": told, "stills": len(observation.stills)}
        return ChannelResult(status="ok", score=score, confidence=0.5, reason=prompt.text, model=self.model, raw=shown)


def _kind(channel: ChannelName) -> type[_Fake]:
    facts = ChannelFacts(name=channel, question="?", needs_prompt=True, stills=True)
    return type(f"Fake_{channel}", (_Fake,), {"facts": facts})


Semantic, Spatial, Benchmark = _kind("semantic"), _kind("spatial"), _kind("benchmark")
Visionreward, Preference = _kind("visionreward"), _kind("preference")

SIZES = {"vlm": 6.0, "clip": 1.0, "dino": 0.5, "towers": 3.0}
USES: dict[ChannelName, tuple[str, ...]] = {
    "semantic": ("vlm",),
    "spatial": ("clip", "dino"),
    "benchmark": ("dino", "towers"),
    "visionreward": ("vlm",),
    "preference": (),
}
BACKENDS = {f"fake-{name}": f"tests.evaluation.fakes:{name.capitalize()}" for name in USES}


def profile() -> Profile:
    components = tuple(
        Component(
            id=name, role="r", loader="fake", phase="verification", memory_gb=gb, memory_source="stated", licence="MIT"
        )
        for name, gb in SIZES.items()
    )
    return Profile(
        name="fake", title="t", device="cuda", budget_gb=24, ready=True, can=("x",), cannot=("y",), sha256="0" * 64,
        channels={name: ChannelSpec(backend=f"fake-{name}", components=some) for name, some in USES.items()},
        components=components,
    )  # fmt: skip

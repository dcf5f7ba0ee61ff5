"""What every channel promises.

A channel reads the :class:`~dqa.measure.observation.Observation` of a clip (made by one decode) and the
parsed prompt, and returns a :class:`~dqa.record.ChannelResult`. It never raises for a clip or prompt it
can't judge: it abstains and says why. What it raises, the evaluator records as ``failed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from dqa.acceptance.content import ChecklistWeights
from dqa.acceptance.shelf import Kept
from dqa.measure.observation import Observation
from dqa.prompt.parse import Prompt
from dqa.record import ChannelName, ChannelResult, ModelIdentity
from dqa.taste.features import Judged
from dqa.taste.taste import Taste


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """Facts no instance may change.

    Attributes:
        name: the channel this answers for.
        question: the question it answers, in words a user understands.
        needs_prompt: False when the prompt plays no part in the score.
        stills: whether it can judge a single image.
        by_stills: whether its memory grows with the still frames, so that fewer of them help where memory runs out.
    All channels: range [0, 1], higher is better, deterministic, independent of batch size.
    """

    name: ChannelName
    question: str
    needs_prompt: bool
    stills: bool
    by_stills: bool = False


class RewardSource(Protocol):
    """Asks a user's language-model adapter what it makes of a clip (:class:`dqa.taste.heavy.serve.AdapterRewards`)."""

    def reward(self, user: str, taste: Taste, judged: Judged, sha256: str) -> float | None:
        """Implicit reward that the adapter ``taste.adapter`` gives, in nats; loads model and adapter on first use.

        Args:
            user: whose adapter.
            taste: names the adapter, the profile and the style the prompt is rendered with.
            judged: the clip; its own ``reward`` is not read.
            sha256: of the clip's file: a clip that the adapter was trained on has no honest reward.

        Returns:
            None without an adapter, for a clip it was trained on, or when it can't be loaded (see :meth:`why`).
        """
        ...

    def why(self) -> str | None:
        """Why the last :meth:`reward` was None, as a clause for the channel's reason; None when it was not."""
        ...


@runtime_checkable
class OnDevice(Protocol):
    """What a :class:`RewardSource` that loads a model can do besides: let go of the device."""

    @property
    def on_device(self) -> bool:
        """Whether its model lies on a GPU now."""
        ...

    def release(self) -> None:
        """Takes its model off the device; the next reward loads it again."""
        ...


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """What else an evaluation knows.

    Attributes:
        user: whose taste counts.
        seed: of everything random.
        taste: the user's, if there is one.
        results: of the channels before this one.
        rewards: asks the user's language-model adapter; None where that tier is off.
        media: the file, for a judge that reads it itself; None where the clip was observed before.
        checklist: fitted weights of VisionReward's questions; None for the published ones.
    """

    user: str = "default"
    seed: int = 0
    taste: Taste | None = None
    results: Mapping[ChannelName, ChannelResult] = field(default_factory=dict[ChannelName, ChannelResult])
    rewards: RewardSource | None = None
    checklist: Kept[ChecklistWeights] | None = None
    media: Path | None = None


class Channel(Protocol):
    """One judge. Built by a registered factory from the profile's arguments (:mod:`dqa.channels.registry`)."""

    facts: ClassVar[ChannelFacts]

    @property
    def model(self) -> ModelIdentity:
        """Which model speaks, its licence and its weakness."""
        ...

    def evaluate(self, observation: Observation, prompt: Prompt, context: EvaluationContext) -> ChannelResult:
        """Judges one clip. Score in [0, 1], higher is better, or null with a status that says why."""
        ...

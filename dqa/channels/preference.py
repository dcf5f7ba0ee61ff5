"""Preference: will this user like it? Answered from the user's own choices."""

from __future__ import annotations

from typing import ClassVar

from dqa.channels.contract import ChannelFacts, EvaluationContext
from dqa.measure.observation import Observation
from dqa.models.pool import ModelPool
from dqa.prompt.parse import Prompt
from dqa.record import ChannelResult, ModelIdentity


class TastePreference:
    """Says that it is unavailable while there are no choices of the user to learn from."""

    facts: ClassVar[ChannelFacts] = ChannelFacts(
        name="preference", question="Will this user like it?", needs_prompt=False, stills=True
    )

    def __init__(self, pool: ModelPool, components: tuple[str, ...] = ()) -> None:
        del pool, components

    @property
    def model(self) -> ModelIdentity:
        return ModelIdentity(id="dqa-taste", licence="Apache-2.0", weakness="knows nothing before it has seen choices")

    def evaluate(self, observation: Observation, prompt: Prompt, context: EvaluationContext) -> ChannelResult:
        """Unavailable: this version records no choices yet, so there are none to learn from."""
        del observation, prompt
        return ChannelResult(
            status="unavailable",
            reason=f"No choices of user {context.user} are known yet, so there is no taste to judge by.",
            model=self.model,
            raw={"version": None, "choices_seen": 0},
        )

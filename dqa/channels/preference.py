"""Preference: will this user like it? Answered from the user's own choices, once there are enough of them."""

from __future__ import annotations

from typing import ClassVar

from pydantic import JsonValue

from dqa.channels.contract import ChannelFacts, EvaluationContext
from dqa.measure.observation import Observation
from dqa.models.pool import ModelPool
from dqa.prompt.parse import Prompt
from dqa.record import ChannelResult, Evidence, ModelIdentity
from dqa.taste import naming
from dqa.taste.bradley_terry import Posterior, chance_of, interval_of
from dqa.taste.enough import learning, more_choices
from dqa.taste.explain import Push, pushes
from dqa.taste.features import FEATURES_VERSION, INDEX, Judged, Vector, features
from dqa.taste.taste import Taste

_NAMED = 3
"""How many things the explanation names on each side."""

_FAINT = 0.02
"""A push below this (in log-odds) is not worth a word."""


class TastePreference:
    """The chance that the clip beats a typical one of this user's, from the light taste model.

    Unavailable without a taste for this profile's scores; abstains while the choices say too little about a clip like
    this one.
    """

    facts: ClassVar[ChannelFacts] = ChannelFacts(
        name="preference", question="Will this user like it?", needs_prompt=True, stills=True
    )

    def __init__(self, pool: ModelPool, components: tuple[str, ...] = ()) -> None:
        del components
        self._pool = pool

    @property
    def model(self) -> ModelIdentity:
        return ModelIdentity(
            id="dqa-taste",
            revision=f"features-{FEATURES_VERSION}",
            licence="Apache-2.0",
            weakness="knows what the other channels, the prompt and this user's words and choices say; nothing else",
        )

    def evaluate(self, observation: Observation, prompt: Prompt, context: EvaluationContext) -> ChannelResult:
        """``sigmoid(m / sqrt(1 + pi s^2 / 8))`` of the margin over the typical clip; see :mod:`dqa.taste.learn`."""
        taste = context.taste
        refused = _refused(taste, context.user, self._pool.profile.name)
        if taste is None or refused:
            return ChannelResult(status="unavailable", reason=refused, model=self.model, raw=_facts(taste))
        judged = Judged(context.results, prompt.text)
        reward, silent = _reward(judged, observation, taste, context)
        whole = Judged(judged.results, judged.prompt, reward)
        offset = taste.offset(features(whole, taste.style, taste.history))
        posterior = taste.posterior()
        known = posterior.known_share(offset)
        raw = _facts(taste) | {"known_share": known}
        if taste.adapter is not None:
            raw |= {"adapter": taste.adapter, "reward": reward}
        more = more_choices(known, taste.pairs)
        if more:
            return ChannelResult(
                status="abstained",
                reason=f"Learning: {learning(more)} until it can judge a clip like this{silent}.",
                model=self.model,
                raw=raw | {"more_choices": more},
            )
        return self._judge(posterior, offset, known, raw, silent)

    def _judge(
        self, posterior: Posterior, offset: Vector, known: float, raw: dict[str, JsonValue], silent: str
    ) -> ChannelResult:
        mean, deviation = posterior.margin(offset)
        score = chance_of(mean, deviation)
        strongest = [push for push in pushes(posterior.mean, offset) if abs(push.value) > _FAINT]
        named = [*_of_sign(strongest, 1.0), *_of_sign(strongest, -1.0)]
        evidence = tuple(Evidence(text=_words(push, offset)) for push in named) or (
            Evidence(text="it is like this user's typical clip"),
        )
        told = "; ".join(item.text for item in evidence)
        found: dict[str, JsonValue] = {
            "margin": mean,
            "deviation": deviation,
            "interval": list(interval_of(mean, deviation)),
            "pushes": {push.feature: push.value for push in named},
        }
        return ChannelResult(
            status="ok",
            score=score,
            confidence=min(1.0, known),
            reason=f"Beats a typical clip of this user's with a chance of {score:.0%}: {told}{silent}.",
            evidence=evidence,
            model=self.model,
            raw=raw | found,
        )


def _refused(taste: Taste | None, user: str, profile: str) -> str:
    """Why this taste can't judge here and what to do about it; empty when it can."""
    if taste is None or not taste.choices:
        return (
            f"No taste of user {user} for profile {profile} is known yet: choose between graded clips "
            "(dqa choose), then run dqa tuner step."
        )
    if taste.profile != profile:
        return (
            f"The taste of user {user} was learned from scores of profile {taste.profile}, which say nothing of those "
            f"of {profile}: choose between clips graded with {profile}, then run dqa tuner step."
        )
    if not taste.usable:
        return f"The taste of user {user} was learned by another version of DQA: run dqa tuner step to learn it again."
    return ""


def _facts(taste: Taste | None) -> dict[str, JsonValue]:
    return {"version": taste.version if taste else None, "choices_seen": taste.choices if taste else 0}


def _reward(
    judged: Judged, observation: Observation, taste: Taste, context: EvaluationContext
) -> tuple[float | None, str]:
    """The adapter's reward, and a clause on why there is none where one was to be expected."""
    if taste.adapter is None:
        return None, ""
    if context.rewards is None:
        return None, "; the language model's reward is missing: it is off here"
    reward = context.rewards.reward(context.user, taste, judged, observation.media.sha256)
    if reward is not None:
        return reward, ""
    return None, f"; the language model's reward is missing: {context.rewards.why() or 'it gave none'}"


def _of_sign(strongest: list[Push], sign: float) -> list[Push]:
    """The first few that push in one direction."""
    return [push for push in strongest if sign * push.value > 0][:_NAMED]


def _words(push: Push, offset: Vector) -> str:
    side = "for" if push.value > 0 else "against"
    at = INDEX.get(push.feature)
    what = "what is shown" if at is None else naming.beside(push.feature, "high" if offset[at] > 0 else "low")
    return f"speaks {side} it: {what} ({push.value:+.2f})"

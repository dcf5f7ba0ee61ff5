"""Preference: will this user like it? Answered from the user's own choices, once there are enough of them."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from pydantic import JsonValue

from dqa.channels.contract import ChannelFacts, EvaluationContext
from dqa.measure.observation import Observation
from dqa.models.pool import ModelPool
from dqa.prompt.parse import Prompt
from dqa.record import ChannelResult, Evidence, ModelIdentity
from dqa.taste.features import FEATURES_VERSION, Judged, Vector, features
from dqa.taste.taste import KNOWN_ENOUGH, Taste

_NAMED = 3
"""How many features the explanation names on each side."""


class TastePreference:
    """The chance that the clip beats a typical one of this user's, from the light taste model.

    Unavailable without choices; abstains while the choices say too little about a clip like this one.
    """

    facts: ClassVar[ChannelFacts] = ChannelFacts(
        name="preference", question="Will this user like it?", needs_prompt=False, stills=True
    )

    def __init__(self, pool: ModelPool, components: tuple[str, ...] = ()) -> None:
        del pool, components

    @property
    def model(self) -> ModelIdentity:
        return ModelIdentity(
            id="dqa-taste",
            revision=f"features-{FEATURES_VERSION}",
            licence="Apache-2.0",
            weakness="knows what the other channels' scores say of a clip, and this user's choices; nothing else",
        )

    def evaluate(self, observation: Observation, prompt: Prompt, context: EvaluationContext) -> ChannelResult:
        """``sigmoid(m / sqrt(1 + pi s^2 / 8))`` of the margin over the typical clip; see :mod:`dqa.taste.learn`."""
        del observation
        taste = context.taste
        if taste is None or not taste.choices or not taste.usable:
            return ChannelResult(
                status="unavailable",
                reason=f"No choices of user {context.user} are known yet, so there is no taste to judge by.",
                model=self.model,
                raw={"version": None, "choices_seen": 0},
            )
        offset = taste.offset(features(Judged(context.results, prompt.text), taste.style, taste.history))
        known = taste.posterior().known_share(offset)
        raw: dict[str, JsonValue] = {"version": taste.version, "choices_seen": taste.choices, "known_share": known}
        if known < KNOWN_ENOUGH:
            return ChannelResult(
                status="abstained",
                reason=f"Learning: about {_more(taste.choices, known)} more choices until it can judge such a clip.",
                model=self.model,
                raw=raw,
            )
        return self._judge(taste, offset, known, raw)

    def _judge(self, taste: Taste, offset: Vector, known: float, raw: dict[str, JsonValue]) -> ChannelResult:
        posterior = taste.posterior()
        mean, deviation = posterior.margin(offset)
        score = 0.5 * (1 + math.tanh(mean / math.sqrt(1 + math.pi * deviation**2 / 8) / 2))
        pushes = posterior.mean * offset
        evidence = [*_named(taste, pushes, 1.0), *_named(taste, pushes, -1.0)]
        words = "; ".join(item.text for item in evidence) or "it is like this user's typical clip"
        return ChannelResult(
            status="ok",
            score=score,
            confidence=min(1.0, known),
            reason=f"Beats a typical clip of this user's with a chance of {score:.0%}: {words}.",
            evidence=tuple(evidence) or (Evidence(text=words),),
            model=self.model,
            raw={**raw, "margin": mean, "deviation": deviation},
        )


def _named(taste: Taste, pushes: Vector, sign: float) -> list[Evidence]:
    """The features that push most in one direction, strongest first."""
    order = np.argsort(-sign * pushes, kind="stable")[:_NAMED]
    verb = "speaks for it" if sign > 0 else "speaks against it"
    names = [(taste.features[i].replace(":", " ").replace("_", " "), float(pushes[i])) for i in order]
    return [Evidence(text=f"{name} {verb} ({push:+.2f})") for name, push in names if sign * push > 0.02]


def _more(choices: int, known: float) -> int:
    """How many more choices until ``known`` reaches :data:`KNOWN_ENOUGH`, each telling as much as those so far.

    The variance ratio after n choices is ``1 / (1 + n i)``.
    """
    if known <= 0:
        return max(1, choices)
    each = (1 / (1 - known) - 1) / choices
    return max(1, math.ceil((1 / (1 - KNOWN_ENOUGH) - 1) / each) - choices)

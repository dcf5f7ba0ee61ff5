"""The semantic channel of the embedded profile: is the clip about the topic of the prompt?

A topic detector, and it says so: it compares what an ImageNet classifier makes of the frames with what the prompt makes
one expect. Colours, counts, genders and actions are invisible to it. Whether it answers depends on the prompt alone, so
that all clips made from one prompt are either judged or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from dqa.channels.contract import ChannelFacts, EvaluationContext
from dqa.channels.seeing import even_choice, label_probabilities
from dqa.channels.semantic.matching import Expectation, expect, fit
from dqa.clip.frame import Frame
from dqa.measure.observation import Observation
from dqa.models.embedded.labels import label_bank
from dqa.models.pool import ModelPool
from dqa.models.roles import TextEncoder
from dqa.prompt.parse import Prompt
from dqa.record import ChannelResult, Evidence, ModelIdentity

Floats = NDArray[np.float32]

MAX_SPREAD = 300.0
"""A prompt whose expectation spreads over more of the 1000 labels than this is about nothing the classifier knows."""

MAX_FRAMES = 6

# Fitted by logistic regression, both classes weighing the same, on matched against mismatched pairs of the photographs
# of benchmarks/topic_auc.py: the score is how likely a pair with this z belongs together when half of the pairs do.
_SLOPE, _MIDDLE = 1.8, 0.7

_MOST_CONFIDENCE, _LEAST_CONFIDENCE = 0.7, 0.45
_SHOWN_LABELS, _SHOWN_SHARE, _SUPPORT = 5, 0.04, 0.45

WEAKNESS = (
    "a topic detector: it sees what a clip is about, in the terms of 1000 ImageNet labels, "
    "and no colour, count, gender, action or person"
)


@dataclass(frozen=True, slots=True)
class Sight:
    """The frames looked at, and f x 1000 label probabilities."""

    frames: Sequence[Frame]
    seen: Floats


class TopicSemantic:
    """Zero-shot topic detection over packaged classifiers and sentence vectors.

    Args:
        pool: where the models come from; asked on first use.
        components: ids of one or more classifiers, then of the sentence encoder.
    """

    facts: ClassVar[ChannelFacts] = ChannelFacts(
        name="semantic", question="What is in the video?", needs_prompt=True, stills=True
    )

    def __init__(self, *, pool: ModelPool, components: tuple[str, ...]) -> None:
        self._pool = pool
        self._classifiers, self._encoder = components[:-1], components[-1]

    @property
    def model(self) -> ModelIdentity:
        """The classifiers and the encoder as parts of one detector."""
        parts = tuple(self._pool.profile.component(c).identity() for c in (*self._classifiers, self._encoder))
        return ModelIdentity(id="topic", licence="Apache-2.0", weakness=WEAKNESS, parts=parts)

    def evaluate(self, observation: Observation, prompt: Prompt, context: EvaluationContext) -> ChannelResult:
        """Score: how likely clip and prompt belong together. ``raw.z`` is the fit behind it in standard deviations."""
        return self.judge(prompt, lambda: self.look(observation))

    def look(self, observation: Observation) -> Sight:
        """What the classifiers see in the clip, whatever the prompt."""
        frames = even_choice(observation.stills, MAX_FRAMES)
        classifiers = [self._pool.get(c) for c in self._classifiers] if frames else []
        images = [f.image for f in frames]
        return Sight(frames, label_probabilities(classifiers, images) if frames else np.zeros((0, 1000), np.float32))

    def judge(self, prompt: Prompt, look: Callable[[], Sight]) -> ChannelResult:
        """Judges what ``look`` gives, which is asked only if the prompt can be judged at all."""
        encoder: TextEncoder = self._pool.get(self._encoder)
        bank = label_bank()
        expected = expect(encoder.encode([prompt.text]), bank)
        spread = float(expected.spread[0])
        raw: dict[str, JsonValue] = {"label_spread": spread}
        if not prompt.entities or spread > MAX_SPREAD:
            return self._abstained("the prompt names nothing close to the 1000 things that the classifier knows", raw)
        sight = look()
        if not sight.frames:
            return self._abstained("every frame is blank", raw)
        z = fit(sight.seen, expected, _usual())
        log_odds = _SLOPE * (float(z.mean()) - _MIDDLE)
        score = 1 / (1 + float(np.exp(-log_odds)))
        evidence = _evidence(sight, prompt, encoder)
        return ChannelResult(
            status="ok",
            score=score,
            confidence=_confidence(spread),
            reason=_reason(score, evidence),
            evidence=evidence,
            model=self.model,
            raw={**raw, "z": float(z.mean()), "log_odds": log_odds, "z_per_frame": z.tolist()},
        )

    def _abstained(self, reason: str, raw: dict[str, JsonValue]) -> ChannelResult:
        return ChannelResult(status="abstained", reason=reason, model=self.model, raw=raw)


@cache
def _usual() -> Expectation:
    """What the reference prompts make one expect."""
    return expect(label_bank().reference, label_bank())


def _confidence(spread: float) -> float:
    """From 0.7 for a prompt that calls up one label down to 0.45 at :data:`MAX_SPREAD`, in the log of the spread."""
    share = float(np.clip(np.log(max(spread, 1.0)) / np.log(MAX_SPREAD), 0, 1))
    return _MOST_CONFIDENCE + (_LEAST_CONFIDENCE - _MOST_CONFIDENCE) * share


def _evidence(sight: Sight, prompt: Prompt, encoder: TextEncoder) -> tuple[Evidence, ...]:
    """The labels seen most, where each was strongest, and which of the prompt's words it supports."""
    bank = label_bank()
    mean = sight.seen.mean(axis=0)
    shown = [int(i) for i in np.argsort(-mean, kind="stable")[:_SHOWN_LABELS] if mean[i] >= _SHOWN_SHARE]
    shown = shown or [int(mean.argmax())]
    things = list(dict.fromkeys(e.text for e in prompt.entities))[:12]
    nearness = bank.named[shown] @ encoder.encode(things).T if things else np.zeros((len(shown), 0))
    return tuple(_seen(sight.frames, sight.seen[:, label], label, things, nearness[k]) for k, label in enumerate(shown))


def _seen(frames: Sequence[Frame], shares: Floats, label: int, things: list[str], nearness: Floats) -> Evidence:
    best = frames[int(shares.argmax())]
    words = [f"“{t}”" for t, near in zip(things, nearness, strict=True) if near >= _SUPPORT]
    supports = f"; supports {' and '.join(words)}" if words else ""
    return Evidence(
        text=f"looks like {label_bank().names[label]} ({shares.mean():.0%} of what the classifier sees){supports}",
        frame=best.index,
        time_s=(best.time_s, best.time_s),
    )


def _reason(score: float, evidence: Sequence[Evidence]) -> str:
    verdict = (
        "fits the topic of the prompt" if score >= 0.7
        else "hardly fits the topic of the prompt" if score < 0.3
        else "may or may not fit the topic of the prompt"
    )  # fmt: skip
    seen = evidence[0].text.partition(";")[0]
    return f"The clip {verdict}: it {seen}. Only the topic was judged, no attribute, count or action."

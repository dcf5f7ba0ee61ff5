"""The benchmark channel with a vision-language model beside it: another backend's dimensions, and the asked ones.

The other backend's score enters with the weight of all its dimensions, each asked one with the weight of one, under the
same soft minimum: with the measured benchmark below, that is the soft minimum of all dimensions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import structlog
from pydantic import JsonValue

from dqa.channels.benchmark.asked.asking import Asked, Asking
from dqa.channels.benchmark.asked.dimensions import ASKED, ASKED_ASPECTS
from dqa.channels.benchmark.view import Finding, abstain
from dqa.channels.contract import Channel, ChannelFacts, EvaluationContext
from dqa.channels.registry import build_channel
from dqa.channels.scales import soft_min
from dqa.errors import Cancelled, DQAError, InsufficientMemory
from dqa.measure.observation import Observation
from dqa.models.exhausted import ran_out
from dqa.models.pool import ModelPool
from dqa.models.profiles import ChannelSpec
from dqa.models.vlm.safety import FRAME_QUESTION
from dqa.prompt.parse import Prompt
from dqa.record import ChannelResult, Dimension, Evidence, ModelIdentity

log = structlog.get_logger(__name__)

T = TypeVar("T")

_WEAK = 0.7
_STATED = 0.6
"""Confidence is this much of what it was where the model tells no token probabilities: only their sign is known."""

_ALONE = 0.3
"""Confidence where the other backend has no score."""


class AskedBenchmark:
    """Another benchmark backend, and VBench-2.0's questions on one clip.

    Args:
        pool: where the models come from.
        components: the other backend's, then the vision-language model's id.
        base: the other backend's name (:data:`dqa.channels.registry.BACKENDS`).
        arguments: what the other backend is built with besides.
    """

    facts: ClassVar[ChannelFacts] = ChannelFacts(
        name="benchmark",
        question="Does the clip meet technical standards, and do people, things and events hold together?",
        needs_prompt=True,
        stills=True,
        by_stills=True,
    )

    def __init__(self, *, pool: ModelPool, components: tuple[str, ...], base: str, **arguments: Any) -> None:
        *below, self._vlm = components
        self._pool = pool
        spec = ChannelSpec(backend=base, components=tuple(below), arguments=arguments)
        self._base: Channel = build_channel("benchmark", spec, pool)

    @property
    def model(self) -> ModelIdentity:
        base = self._base.model
        judge = self._pool.identity(self._vlm)
        return base.model_copy(update={"id": f"{base.id} + asked", "parts": (*base.parts, judge)})

    def evaluate(self, observation: Observation, prompt: Prompt, context: EvaluationContext) -> ChannelResult:
        """Judges one clip; ``raw.asked`` holds every question with its log-odds."""
        measured = self._base.evaluate(observation, prompt, context)
        asking = Asking(observation, prompt, lambda: self._pool.get(self._vlm))
        tampered, found = _found(asking)
        scores = {name: finding.score for name, finding in found.items() if finding.score is not None}
        score = _folded(measured, list(scores.values()))
        if score is None:
            return measured.model_copy(
                update={
                    "model": self.model,
                    "raw": {**measured.raw, **_raw(measured, scores, asking, tampered)},
                    "dimensions": {**(measured.dimensions or {}), **_dimensions(found)},
                }
            )
        sure = _ALONE if measured.confidence is None else measured.confidence
        return ChannelResult(
            status="ok",
            score=score,
            confidence=sure * (1.0 if asking.soft or not scores else _STATED),
            reason=_reason(measured, found, scores),
            evidence=(*measured.evidence, *_evidence(found)),
            model=self.model,
            raw={**measured.raw, **_raw(measured, scores, asking, tampered)},
            dimensions={**(measured.dimensions or {}), **_dimensions(found)},
        )


def _found(asking: Asking) -> tuple[bool, dict[str, Finding]]:
    """Whether words for the judge are suspected in prompt or picture, and each asked dimension's verdict."""
    spoken_to = asking.screened.suspicious
    if not asking.frames:
        return spoken_to, dict.fromkeys(ASKED, abstain("every frame is blank"))
    sign = FRAME_QUESTION.format(noun=asking.observation.media.kind)
    broken = _prefetched(asking, sign)
    seen, trouble = (None, broken) if broken is not None else _tried("frame text", lambda: asking.answer(sign))
    if trouble is not None:  # the measured dimensions stand without the judge
        return spoken_to, dict.fromkeys(ASKED, trouble)
    if seen is not None and seen.p_yes > 0.5:
        # No answer can be trusted then, neither the good nor the bad ones: what is measured alone counts.
        silent = abstain("text for the judge is suspected in the picture, so that no answer counts")
        return True, dict.fromkeys(ASKED, silent)
    return spoken_to, {name: _guarded(name, one, asking) for name, one in ASKED.items()}


def _prefetched(asking: Asking, sign: str) -> Finding | None:
    """Asks in one go what all dimensions will want to know; why the judge can't be asked at all, if so.

    Where that breaks otherwise, nothing is lost: each dimension asks for itself then, and only what breaks again fails.
    """
    wanted = [sign]
    for name, one in ASKED.items():
        questions, _ = _tried(name, functools.partial(one.questions, asking))
        wanted += questions or ()
    _, trouble = _tried("all at once", lambda: asking.prefetch(wanted))
    return trouble if trouble is not None and trouble.status == "unavailable" else None


def _guarded(name: str, one: Asked, asking: Asking) -> Finding:
    """A dimension's verdict; a fault in one must not cost the others theirs."""
    found, trouble = _tried(name, lambda: one.measure(asking))
    return found or trouble or abstain("it gave no verdict")


def _tried(name: str, act: Callable[[], T]) -> tuple[T | None, Finding | None]:
    """What it gives, or the finding that says why it gives nothing. Memory that runs out is no fault of its own."""
    try:
        return act(), None
    except (Cancelled, InsufficientMemory, MemoryError):
        raise
    except DQAError as error:
        return None, Finding(None, None, error.public(), status="unavailable")
    except Exception as error:
        if ran_out(error):
            raise
        log.exception("dimension failed", dimension=name)
        return None, Finding(None, None, f"it failed with {type(error).__name__}; see the log", status="failed")


def _folded(measured: ChannelResult, asked: list[float]) -> float | None:
    weight = sum(one.score is not None for one in (measured.dimensions or {}).values())
    below = [] if measured.score is None else [measured.score] * max(1, weight)
    if not asked:
        return measured.score
    return soft_min([*below, *asked])


def _raw(measured: ChannelResult, scores: dict[str, float], asking: Asking, tampered: bool) -> dict[str, JsonValue]:
    given = measured.raw.get("aspects")
    aspects: dict[str, JsonValue] = dict(given) if isinstance(given, dict) else {}
    for aspect, names in ASKED_ASPECTS.items():
        own = [scores[name] for name in names if name in scores]
        before = aspects.get(aspect)
        if own:
            aspects[aspect] = soft_min([*([before] if isinstance(before, float) else []), *own])
    return {
        "aspects": aspects,
        "asked": asking.log,
        "judge_tamper_suspected": tampered,
        "removed": list[JsonValue](asking.screened.removed),
    }


def _dimensions(found: dict[str, Finding]) -> dict[str, Dimension]:
    return {
        name: Dimension(score=one.score, raw=one.raw, status=one.status, reason=one.reason)
        for name, one in found.items()
    }


def _evidence(found: dict[str, Finding]) -> list[Evidence]:
    ranked = sorted((one.score, name) for name, one in found.items() if one.score is not None)
    return [
        item.model_copy(update={"text": f"{name.replace('_', ' ')}: {item.text}"})
        for _, name in ranked
        for item in found[name].evidence
    ]


def _reason(measured: ChannelResult, found: dict[str, Finding], scores: dict[str, float]) -> str:
    silent = len(found) - len(scores)
    if not scores:
        return f"{measured.reason} None of the {silent} asked dimensions could be judged; each says why."
    worst = min(scores, key=lambda name: scores[name])
    lead = "The weakest" if scores[worst] < _WEAK else "The lowest"
    tail = f" {silent} of them could not be judged or do not apply." if silent else ""
    told = f"{lead} of {len(found)} asked: {worst.replace('_', ' ')} {scores[worst]:.2f}: {found[worst].reason}."
    return f"{measured.reason} {told}{tail}"

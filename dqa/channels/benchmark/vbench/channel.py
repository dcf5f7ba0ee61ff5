"""The benchmark channel with VBench's models: DINO, CLIP, LAION's aesthetic head, RAFT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import structlog

from dqa.channels.benchmark.channel import folded
from dqa.channels.benchmark.vbench.dimensions import OWN, PARITY
from dqa.channels.benchmark.vbench.models import Models
from dqa.channels.benchmark.vbench.numbers import numbers
from dqa.channels.benchmark.vbench.replay import Replay
from dqa.channels.benchmark.vbench.view import LIKENESS, VBenchView
from dqa.channels.benchmark.view import Finding, Likeness, View
from dqa.channels.contract import ChannelFacts, EvaluationContext
from dqa.errors import Cancelled, DQAError, InsufficientMemory
from dqa.measure.observation import Observation
from dqa.models.exhausted import ran_out
from dqa.models.pool import ModelPool
from dqa.prompt.parse import Prompt
from dqa.record import ChannelResult, ModelIdentity

log = structlog.get_logger(__name__)


class VBenchBenchmark:
    """VBench's dimensions for one clip.

    Its own mode judges like :class:`dqa.channels.benchmark.channel.MeasuredBenchmark`, with DINO and CLIP for what
    stays itself, RAFT for what moves and LAION's head for looks, on frames at most 8 a second. With ``parity`` it gives
    VBench's own numbers (all frames, VBench's resize and sums). A dimension whose model is missing is ``unavailable``.

    Args:
        pool: where the models come from; each is asked for when a dimension needs it.
        components: ids of DINO, CLIP B/32, CLIP L/14, the aesthetic head and RAFT, in this order; those at the end may
            be left out.
        parity: VBench's numbers instead of ours.
        release: give a model back as soon as a dimension is done with it.
        likeness: the scale of DINO's and CLIP's features (:class:`dqa.channels.benchmark.view.Likeness` by name).
    """

    facts: ClassVar[ChannelFacts] = ChannelFacts(
        name="benchmark",
        question="Does the clip meet VBench's standards: steady, smooth, sharp, moving, good to look at?",
        needs_prompt=False,
        stills=True,
    )

    def __init__(
        self,
        *,
        pool: ModelPool,
        components: tuple[str, ...] = (),
        parity: bool = False,
        release: bool = False,
        likeness: Mapping[str, float] | None = None,
    ) -> None:
        self._pool, self._parity = pool, parity
        self._models = Models(pool, tuple(components), release)
        self._likeness = Likeness(**likeness) if likeness else LIKENESS

    @property
    def model(self) -> ModelIdentity:
        parts = tuple(self._pool.identity(name) for name in self._models.ids)
        licences = ", ".join(dict.fromkeys(("Apache-2.0", *(part.licence for part in parts))))
        weakness = (
            "VBench's own formulas: a clip that stands still does best in most of them; frame rate is not evened out"
            if self._parity
            else "scales are not fitted to people's acceptance; not comparable with VBench's leaderboard"
        )
        name = "vbench-parity" if self._parity else "vbench"
        return ModelIdentity(id=name, licence=licences, weakness=weakness, parts=parts)

    def evaluate(self, observation: Observation, prompt: Prompt, context: EvaluationContext) -> ChannelResult:
        """Judges one clip; ``dimensions`` holds each dimension, ``raw`` what :func:`folded` or :func:`numbers` says."""
        view = VBenchView(observation, self._models, self._likeness)
        if self._parity:
            return self._numbers(observation, view)
        found = {name: guarded(name, lambda measure=measure: measure(view)) for name, measure in OWN.items()}
        result = folded(view, found, self.model)
        return result.model_copy(update={"reason": result.reason + without(found)})

    def _numbers(self, observation: Observation, view: View) -> ChannelResult:
        too_short = view.signals.frames < 2 or observation.media.kind == "image"
        if too_short:
            return ChannelResult(status="abstained", reason="VBench needs two frames at least", model=self.model)
        clip = Replay(observation)
        found = {
            name: guarded(name, lambda parity=parity: parity(clip, self._models)) for name, parity in PARITY.items()
        }
        result = numbers(view, found, self.model)
        return result.model_copy(update={"reason": result.reason + without(found)})


def guarded(name: str, measure: Callable[[], Finding]) -> Finding:
    """What ``measure`` finds; a model that is missing, or a fault, costs this dimension alone.

    Memory that runs out is not its fault: that goes up, so that less is tried at once.
    """
    try:
        return measure()
    except (Cancelled, InsufficientMemory):
        raise
    except DQAError as error:
        return Finding(None, None, error.public(), status="unavailable")
    except Exception as error:  # a fault in one dimension must not cost the others' verdict
        if ran_out(error):
            raise
        log.exception("dimension failed", dimension=name)
        return Finding(None, None, f"it failed with {type(error).__name__}; see the log", status="failed")


def without(found: Mapping[str, Finding]) -> str:
    """Which dimensions are missing for want of a model, as sentences."""
    names = [name.replace("_", " ") for name, finding in found.items() if finding.status == "unavailable"]
    return f" Unavailable: {', '.join(names)} (see dimensions for what to fetch)." if names else ""

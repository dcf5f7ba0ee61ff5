"""The channels of one profile, asked one at a time: what goes wrong in one is its own result, and the others go on."""

from __future__ import annotations

import time
from pathlib import Path

import structlog

from dqa.channels.contract import Channel, EvaluationContext, OnDevice, RewardSource
from dqa.channels.registry import build_channel, chosen_spec
from dqa.config import Settings
from dqa.errors import Cancelled, DQAError, InsufficientMemory, ModelUnavailable
from dqa.evaluation.ladder import Ladder
from dqa.evaluation.request import CHANNELS, Underway
from dqa.models.pool import ModelPool
from dqa.models.profiles import ChannelSpec, Profile
from dqa.models.residency.steps import READS
from dqa.record import ChannelName, ChannelResult

log = structlog.get_logger(__name__)


class Judges:
    """Builds each channel on first use.

    Args:
        profile: names their backends.
        settings: may name another one for the benchmark.
        pool: where their models come from.
        rewards: asks users' language-model adapters; None where there are none.
    """

    def __init__(self, profile: Profile, settings: Settings, pool: ModelPool, rewards: RewardSource | None) -> None:
        self._profile, self._settings, self._pool, self._rewards = profile, settings, pool, rewards
        self._channels: dict[ChannelName, Channel] = {}

    def ask(self, name: ChannelName, clip: Underway) -> None:
        """Puts a channel's answer on a clip into its results, and how long it took into its timings."""
        clip.tell(name, 0.4 + 0.6 * len(clip.timings.keys() & set(CHANNELS)) / len(CHANNELS))
        self._pool.about(clip.request.evaluation_id)
        began = time.perf_counter()
        clip.results[name] = self._answer(name, clip)
        clip.timings[name] = time.perf_counter() - began

    def channel(self, name: ChannelName) -> Channel:
        """The channel, built.

        Raises:
            ModelUnavailable: the profile has none.
        """
        if name not in self._channels:
            self._channels[name] = build_channel(name, self._spec(name), self._pool)
        return self._channels[name]

    @property
    def rewards_on_device(self) -> bool:
        """Whether the language model of taste lies on a GPU now."""
        return isinstance(self._rewards, OnDevice) and self._rewards.on_device

    def release(self) -> None:
        """Takes the language model of taste off its device until it is next asked."""
        if isinstance(self._rewards, OnDevice):
            self._rewards.release()

    def _answer(self, name: ChannelName, clip: Underway) -> ChannelResult:
        try:
            channel = self.channel(name)
            context, prompt = self._context(name, clip), clip.request.prompt
            components = self._spec(name).components
            with self._pool.ledger.watch(name, components, lambda: self._pool.kept_gb(components)):
                ladder = Ladder(self._pool, name, components, by_stills=channel.facts.by_stills)
                result, notes = ladder.ask(lambda seen: channel.evaluate(seen, prompt, context), clip.observation)
            clip.notes += notes
            if self._pool.ledger.exact:
                clip.memory[name] = self._pool.ledger.readings[name]
            return result
        except Cancelled:
            raise
        except InsufficientMemory as error:
            return ChannelResult(status="unavailable", reason=error.public(), raw={"error": error.type})
        except DQAError as error:
            return ChannelResult(status="unavailable", reason=error.public())
        except Exception as error:  # a fault in one channel must not cost the others' verdict
            log.exception("channel failed", channel=name)
            return ChannelResult(
                status="failed", reason=f"The channel failed with {type(error).__name__}; see the log."
            )

    def _context(self, name: ChannelName, clip: Underway) -> EvaluationContext:
        request = clip.request
        return EvaluationContext(
            user=request.user,
            seed=request.seed,
            taste=request.taste,
            results={other: clip.results[other] for other in READS[name] if other in clip.results},
            rewards=self._rewards,
            checklist=request.fits.checklist,
            media=request.media if request.media != Path() else None,
        )

    def _spec(self, name: ChannelName) -> ChannelSpec:
        spec = chosen_spec(self._profile, name, self._settings.benchmark_backend)
        if spec is None:
            raise ModelUnavailable(f"profile {self._profile.name} has no model for {name}", fix="use another profile")
        return spec

"""What components take: the declared figures, those measured before, and those measured as they load and work."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog

from dqa.config import Settings
from dqa.models.hub.lock import pinned
from dqa.models.plan import Need
from dqa.models.profiles import Component, Profile
from dqa.models.residency.figures import Figure, MemoryBook, key_of
from dqa.models.residency.meter import Meter, Reading
from dqa.record import ChannelName

log = structlog.get_logger(__name__)

_NEWS = 1.05
_NEWS_GB = 0.01
"""By how much working memory must exceed what is kept to be written down again."""


class Ledger:
    """Measures one profile's components on one device, and keeps the figures.

    Attributes:
        readings: of each channel that ran, the device's memory in its last run; ``peak`` within that run.
        phases: likewise of each phase.
    """

    def __init__(self, profile: Profile, device: str, home: Path, settings: Settings | None, meter: Meter) -> None:
        self.readings: dict[ChannelName, Reading] = {}
        self.phases: dict[str, Reading] = {}
        self._profile, self._device, self._settings, self._meter = profile, device, settings, meter
        self._home = home
        self._book = MemoryBook(home)
        self._needs = self._book.needs([pinned(c, home) for c in profile.components], device, settings)
        self._grown = 0.0

    @property
    def measured(self) -> dict[str, Need]:
        """What was measured, by component id: for the planner."""
        return dict(self._needs)

    @property
    def exact(self) -> bool:
        """Whether figures count what was asked for, rather than what the process's resident memory grew by."""
        return self._meter.exact

    def gb(self, component_id: str) -> float:
        """What a component takes once loaded, measured or else declared."""
        need = self._needs.get(component_id)
        return need.gb if need is not None else self._profile.component(component_id).memory_gb

    def loaded(self, component_id: str, grown_gb: float) -> None:
        """A component was read from disk and memory grew by so much; the first figure that can be is kept."""
        self._grown += grown_gb
        component = self._profile.component(component_id)
        if component_id in self._needs or not self._believable(component, grown_gb):
            return
        log.info("measured", component=component_id, gb=grown_gb, declared_gb=component.memory_gb)
        self._keep(component, Figure(gb=grown_gb))

    def _believable(self, component: Component, grown_gb: float) -> bool:
        """A process that loads into memory it had freed before grows by less than the weights, or not at all."""
        if self._meter.exact:
            return grown_gb > 0
        if component.memory_gb == 0:
            return False
        return grown_gb >= (component.size_mb / 1000 if component.size_mb else component.memory_gb / 2)

    @contextmanager
    def watch(
        self, channel: ChannelName, components: Sequence[str], kept_gb: Callable[[], float] = lambda: 0.0
    ) -> Generator[None]:
        """While a channel runs: what it takes on top of the loaded components is logged and kept.

        Args:
            kept_gb: what the components keep of the clip afterwards, which is work too.
        """
        self._meter.restart()
        self._grown = 0.0
        before = self._meter.read().allocated
        try:
            yield
        finally:
            after = self._meter.read()
            self.readings[channel] = after
            log.info("memory", channel=channel, device=self._device, **_rounded(after))
            exact = after.peak - after.allocated + kept_gb()
            work = exact if self._meter.exact else after.allocated - before - self._grown
            for name in components:
                self._worked(name, work)

    def phase_done(self, phase: str, channels: Sequence[ChannelName], clips: int) -> None:
        """Logs what the device held in a phase: the most of its channels' last runs."""
        seen = [self.readings[name] for name in channels if name in self.readings]
        if not seen:
            return
        last = seen[-1]
        most = Reading(last.allocated, max(one.reserved for one in seen), max(one.peak for one in seen))
        self.phases[phase] = most
        log.info("phase", phase=phase, clips=clips, device=self._device, **_rounded(most))

    def _worked(self, component_id: str, work_gb: float) -> None:
        need = self._needs.get(component_id)
        if need is not None and work_gb > _NEWS * need.work_gb + _NEWS_GB:
            self._keep(self._profile.component(component_id), Figure(gb=need.gb, work_gb=work_gb))

    def _keep(self, component: Component, figure: Figure) -> None:
        self._needs[component.id] = Need(figure.gb, figure.work_gb, "measured")
        self._book.write(key_of(pinned(component, self._home), self._device, self._settings), figure)


def _rounded(reading: Reading) -> dict[str, float]:
    return {
        "allocated_gb": round(reading.allocated, 4),
        "reserved_gb": round(reading.reserved, 4),
        "peak_gb": round(reading.peak, 4),
    }

"""The steps of an evaluation, one a channel: which components each needs, and which it must come after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dqa.models.profiles import Component, Phase, Profile
from dqa.record import ChannelName

PHASES: tuple[Phase, ...] = ("verification", "benchmark", "preference", "synthesis", "training")
"""The mission's (1.3), in its order."""

OF_CHANNEL: dict[ChannelName, Phase] = {
    "semantic": "verification",
    "visionreward": "verification",
    "spatial": "verification",
    "benchmark": "benchmark",
    "preference": "preference",
}
"""In which of the mission's phases a channel runs."""

READS: dict[ChannelName, tuple[ChannelName, ...]] = {
    "semantic": (),
    "spatial": (),
    "benchmark": (),
    "visionreward": ("semantic",),
    "preference": ("semantic", "spatial", "benchmark", "visionreward"),
}
"""Whose results a channel reads. It is given those and no others, so that no order of phases can change a score."""


@dataclass(frozen=True, slots=True)
class Step:
    """What runs in one piece.

    Attributes:
        name: the channel's, or the phase's where a profile names no channels.
        components: ids of what it needs, all at once.
        phase: the mission's phase it belongs to.
        after: names of the steps that must have run before.
        channel: which channel runs; None where the profile names none.
    """

    name: str
    components: tuple[str, ...]
    phase: Phase
    after: tuple[str, ...] = ()
    channel: ChannelName | None = None


def steps_of(profile: Profile) -> tuple[Step, ...]:
    """The steps of a profile's channels; of its components' phases where it has none (it can only be planned for).

    A component that no channel names (a language model that judges taste) belongs to the first step of its phase.
    """
    if not profile.channels:
        return steps_of_phases(profile.components)
    needed: dict[ChannelName, list[str]] = {
        name: list(profile.channels[name].components) for name in READS if name in profile.channels
    }
    used = {component for some in needed.values() for component in some}
    for component in profile.components:
        home: ChannelName | None = next((name for name in needed if OF_CHANNEL[name] == component.phase), None)
        if component.id not in used and component.default and home is not None:
            needed[home].append(component.id)
    steps: list[Step] = []
    for name, some in needed.items():
        before = tuple(other for other in READS[name] if other in needed)
        steps.append(Step(name, tuple(dict.fromkeys(some)), OF_CHANNEL[name], before, name))
    return tuple(steps)


def steps_of_phases(components: Sequence[Component]) -> tuple[Step, ...]:
    """One step for each phase of an evaluation that has components, in the mission's order."""
    found: list[Step] = []
    for phase in PHASES:
        some = tuple(c.id for c in components if c.phase == phase)
        if some and phase != "training":
            found.append(Step(phase, some, phase, tuple(step.name for step in found)))
    return tuple(found)

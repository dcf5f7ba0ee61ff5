"""The planner: what is on the device when, and whether that fits the budget, before anything is loaded.

``resident`` keeps all components of an evaluation loaded, which is quickest. ``sequential`` runs the mission's phases
(1.3) one after the other, each unloading before the next loads. ``auto`` is resident where that fits; else it puts
channels together and in such an order that little has to be loaded again (:mod:`dqa.models.residency.arrange`).
Training always has the device alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dqa.errors import InsufficientMemory
from dqa.models.profiles import Component, Profile
from dqa.models.residency.arrange import Group, arrange, rounds, union
from dqa.models.residency.steps import PHASES, Step, steps_of, steps_of_phases
from dqa.record import ChannelName

Mode = Literal["auto", "resident", "sequential"]
Source = Literal["declared", "measured"]
TRAINING = "training"


@dataclass(frozen=True, slots=True)
class Need:
    """What a component takes.

    Attributes:
        gb: once loaded.
        work_gb: most that was measured on top while a phase used it; 0 where ``gb`` is declared, which counts both.
        source: whether the profile declares it or this machine measured it.
    """

    gb: float
    work_gb: float = 0.0
    source: Source = "declared"


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """What is loaded while a phase runs.

    Attributes:
        name: the channels', or the mission's phase's; ``evaluation`` for all in one.
        components: ids of what is used.
        gb: ``components`` and ``kept`` together, and the work of the component that works hardest.
        channels: which channels run, in this order; empty for a profile that can only be planned for, and in training.
        kept: ids of what stays loaded beside, because a later phase needs it and there is room.
        load: ids of what has to be loaded when the phase begins, once evaluations follow each other.
        evict: ids of what is unloaded before that.
    """

    name: str
    components: tuple[str, ...]
    gb: float
    channels: tuple[ChannelName, ...] = ()
    kept: tuple[str, ...] = ()
    load: tuple[str, ...] = ()
    evict: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be on the device when.

    Attributes:
        mode: ``resident`` or ``sequential``, never ``auto``.
        total_gb: all components of an evaluation together.
        peak_gb: the largest phase; what must fit.
        fits: whether ``peak_gb`` is within ``budget_gb``.
        needs: what was reckoned with for each component.
    """

    mode: Literal["resident", "sequential"]
    budget_gb: float
    phases: tuple[PhasePlan, ...]
    total_gb: float
    peak_gb: float
    fits: bool
    needs: Mapping[str, Need] = field(default_factory=dict[str, Need])

    @property
    def evaluation(self) -> tuple[PhasePlan, ...]:
        """The phases of an evaluation, in their order: all but training."""
        return tuple(phase for phase in self.phases if phase.name != TRAINING)

    @property
    def loads(self) -> int:
        """Components that are loaded in each evaluation, or in each round of a batch; 0 when all stay resident."""
        return sum(len(phase.load) for phase in self.evaluation)


def plan_profile(profile: Profile, mode: Mode, budget_gb: float, measured: Mapping[str, Need] | None = None) -> Plan:
    """Plans a profile's residency, its channels being the steps; else as :func:`plan`."""
    return plan(profile.components, mode, budget_gb, steps=steps_of(profile), measured=measured)


def plan(
    components: Sequence[Component],
    mode: Mode,
    budget_gb: float,
    *,
    steps: Sequence[Step] | None = None,
    measured: Mapping[str, Need] | None = None,
) -> Plan:
    """Plans the residency of ``components`` under ``budget_gb``.

    Args:
        steps: what runs; default one for each of the mission's phases.
        measured: what was measured, by component id; of the others the declared figure counts.

    >>> from dqa.models.profiles import Component
    >>> facts = {"role": "r", "memory_source": "stated", "licence": "MIT"}
    >>> vlm = Component(id="vlm", phase="verification", memory_gb=6, **facts)
    >>> flow = Component(id="flow", phase="benchmark", memory_gb=4, **facts)
    >>> plan([vlm, flow], "auto", 24).mode, plan([vlm, flow], "auto", 8).peak_gb
    ('resident', 6.0)
    """
    asked = steps_of_phases(components) if steps is None else tuple(steps)
    needs = {c.id: (measured or {}).get(c.id) or Need(c.memory_gb) for c in components}
    every = union(asked)
    total = math.fsum(needs[name].gb for name in every)

    def takes(some: Sequence[str]) -> float:
        return math.fsum(needs[name].gb for name in some) + max((needs[name].work_gb for name in some), default=0.0)

    def fits(some: Sequence[str]) -> bool:
        return takes(some) <= budget_gb

    together = mode == "resident" or (mode == "auto" and fits(every))
    groups = [Group(asked, every, (), (), ())] if together and every else None
    if groups is None and mode == "auto":
        groups = arrange(asked, {name: need.gb for name, need in needs.items()}, fits)
    if groups is None:
        groups = rounds(_in_turn(asked, fits), lambda _: False)
    phases = [_phase("evaluation" if together else _name(group, asked), group, takes) for group in groups]
    training = tuple(c.id for c in components if c.phase == TRAINING)
    if training:
        phases.append(PhasePlan(TRAINING, training, takes(training)))
    peak = max((phase.gb for phase in phases), default=0.0)
    kind = "resident" if together else "sequential"
    return Plan(kind, budget_gb, tuple(phases), total, peak, peak <= budget_gb, needs)


def shortage(made: Plan, phases: Sequence[PhasePlan], *, whose: str) -> InsufficientMemory | None:
    """What to tell a user whose budget is too small for one of ``phases``; None where all fit.

    Args:
        whose: how to call what is planned, e.g. ``profile laptop``.
    """
    worst = max(phases, key=lambda phase: phase.gb, default=None)
    if worst is None or worst.gb <= made.budget_gb:
        return None
    largest = max((*worst.components, *worst.kept), key=lambda name: made.needs[name].gb)
    need = made.needs[largest]
    told = f"{whose} needs {worst.gb:.2f} GB at once ({made.mode}, phase {worst.name}), most of it for {largest}"
    told += f" ({need.gb:.2f} GB, {need.source}), and the budget is {made.budget_gb:g} GB"
    fix = "raise the budget (DQA_BUDGET_GB, --budget-gb) if the device has more, or take a smaller profile"
    if made.mode == "resident":
        fix = "try --mode sequential, or raise the budget"
    return InsufficientMemory(told, fix=fix)


def _in_turn(steps: Sequence[Step], fits: Callable[[Sequence[str]], bool]) -> list[tuple[Step, ...]]:
    """The mission's phases, each cut into its channels where it does not fit in one piece.

    What needs no component runs with what goes before.
    """
    cut: list[tuple[Step, ...]] = []
    for phase in PHASES:
        some = tuple(step for step in steps if step.phase == phase)
        for part in [some] if some and fits(union(some)) else [(step,) for step in some]:
            if cut and not union(part):
                cut[-1] = (*cut[-1], *part)
            else:
                cut.append(part)
    return cut


def _name(group: Group, steps: Sequence[Step]) -> str:
    """The mission's phase where the group is all of it, else its steps."""
    loading = [step for step in group.steps if step.components] or list(group.steps)
    phase = loading[0].phase
    if set(loading) == {step for step in steps if step.phase == phase and (step.components or step in loading)}:
        return phase
    return "+".join(step.name for step in loading)


def _phase(name: str, group: Group, takes: Callable[[Sequence[str]], float]) -> PhasePlan:
    channels: tuple[ChannelName, ...] = tuple(step.channel for step in group.steps if step.channel is not None)
    gigabytes = takes((*group.needed, *group.kept))
    return PhasePlan(name, group.needed, gigabytes, channels, group.kept, group.load, group.evict)

"""The memory calculator: what a list of components takes, together or phase by phase, and whether it fits.

The phases are the mission's (1.3): verification, benchmark, preference, synthesis on the CPU, and training, which
always has the device alone. ``sequential`` unloads each phase before the next loads; ``resident`` keeps all phases
of an evaluation loaded, which is quicker; ``auto`` is resident where that fits the budget, else sequential.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dqa.models.profiles import Component, Phase

Mode = Literal["auto", "resident", "sequential"]
PHASES: tuple[Phase, ...] = ("verification", "benchmark", "preference", "synthesis", "training")


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """What is loaded while a phase runs. ``gb`` is the sum over ``components``."""

    name: str
    components: tuple[str, ...]
    gb: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be on the device when.

    Attributes:
        mode: ``resident`` or ``sequential``, never ``auto``.
        total_gb: all components of an evaluation together.
        peak_gb: the largest phase; what must fit.
        fits: whether ``peak_gb`` is within ``budget_gb``.
    """

    mode: Literal["resident", "sequential"]
    budget_gb: float
    phases: tuple[PhasePlan, ...]
    total_gb: float
    peak_gb: float
    fits: bool


def plan(components: Sequence[Component], mode: Mode, budget_gb: float) -> Plan:
    """Plans the residency of ``components`` under ``budget_gb``.

    >>> from dqa.models.profiles import load_profile
    >>> made = plan(load_profile("rtx3090").components, "sequential", 24)
    >>> made.peak_gb, made.fits
    (18.0, True)
    """
    evaluating = [c for c in components if c.phase != "training"]
    total = _gigabytes(evaluating)
    together = mode == "resident" or (mode == "auto" and total <= budget_gb)
    groups = [(phase, [c for c in evaluating if c.phase == phase]) for phase in PHASES]
    groups = [("evaluation", evaluating)] if together else groups
    groups.append(("training", [c for c in components if c.phase == "training"]))
    phases = tuple(PhasePlan(n, tuple(c.id for c in group), _gigabytes(group)) for n, group in groups if group)
    peak = max((phase.gb for phase in phases), default=0.0)
    return Plan("resident" if together else "sequential", budget_gb, phases, total, peak, peak <= budget_gb)


def _gigabytes(components: Sequence[Component]) -> float:
    return math.fsum(component.memory_gb for component in components)

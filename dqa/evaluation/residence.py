"""Under which plan a profile's models come and go on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

from pydantic import JsonValue

from dqa.channels.registry import chosen_spec
from dqa.config import Settings
from dqa.evaluation.request import CHANNELS
from dqa.models.plan import Need, Plan, plan_profile, shortage
from dqa.models.pool import ModelPool
from dqa.models.profiles import Profile
from dqa.models.residency.meter import Reading
from dqa.record import MEASURED, ChannelName


def as_asked(profile: Profile, settings: Settings) -> Profile:
    """What is planned for: the profile with the backends that the settings choose, and without what they leave off."""
    chosen = {name: chosen_spec(profile, name, settings.benchmark_backend) for name in CHANNELS}
    channels = {name: spec for name, spec in chosen.items() if spec is not None}
    components = tuple(c for c in profile.components if c.only_with is None or getattr(settings, c.only_with))
    return profile.model_copy(update={"channels": channels, "components": components})


def declared(profile: Profile, settings: Settings) -> Plan:
    """The plan by the profile's own figures: the same on every machine and in every run."""
    return plan_profile(profile, "auto", settings.budget_gb or profile.budget_gb)


def chosen(profile: Profile, settings: Settings, pool: ModelPool) -> Plan:
    """The plan that is gone by: with what was measured here.

    Working memory gives way where it must (:mod:`dqa.evaluation.ladder`), loaded weights don't: a plan is refused for
    its weights alone. The resident memory of a process is a rough measure; the declared figures overrule it.

    Raises:
        InsufficientMemory: a phase does not fit the budget.
    """
    measured = pool.ledger.measured
    weights = {name: replace(need, work_gb=0.0) for name, need in measured.items()}
    tries: list[Mapping[str, Need]] = [measured, weights, *([] if pool.ledger.exact else [{}])]
    refused = None
    for figures in tries:
        made = plan_profile(profile, "auto", settings.budget_gb or profile.budget_gb, figures)
        problem = shortage(made, made.evaluation, whose=f"profile {profile.name}")
        if problem is None:
            return made
        refused = refused or problem
    assert refused is not None  # noqa: S101 - the loop has run
    raise refused


def memory_of(device: str, plan: Plan, measured: Mapping[ChannelName, Reading]) -> dict[str, JsonValue]:
    """A record's ``memory``: the declared plan, the same in every run.

    On a CUDA device ``measured`` is a key too, gigabytes by channel; like timings it differs from run to run. The
    resident memory of a process says little about one clip: it is in the log only.
    """
    told: dict[str, JsonValue] = {
        "device": device,
        "mode": plan.mode,
        "budget_gb": plan.budget_gb,
        "planned_gb": {phase.name: phase.gb for phase in plan.phases},
    }
    if measured:
        told[MEASURED] = {name: dict(asdict(reading)) for name, reading in measured.items()}
    return told

"""The machine: processor, memory, disk, GPU."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from dqa.cli.checks.finding import Finding
from dqa.config import Settings
from dqa.models.hub.lock import pinned
from dqa.models.plan import Plan, plan_profile
from dqa.models.profiles import Profile
from dqa.models.residency import card
from dqa.models.residency.figures import MemoryBook

_OVERHEAD_GB = 1.0
"""What Python, torch and a decoded clip take beside the models."""

_LEAST_FREE_GB = 1.0


def machine(settings: Settings, profile: Profile) -> Iterator[Finding]:
    """Processor, memory and disk."""
    yield _threads()
    yield _memory(profile)
    yield _disk(settings.home)


def gpu(profile: Profile, settings: Settings) -> Finding:
    """The GPU, as torch sees it; required, with room for the profile's plan, only where the profile runs on one."""
    try:
        import torch
    except (ImportError, OSError) as error:
        level = "fail" if profile.device == "cuda" else "ok"
        return Finding("gpu", level, f"not looked for: torch does not import ({type(error).__name__})")
    if not torch.cuda.is_available():
        found = f"none that torch {torch.__version__} can use"
        if profile.device == "cuda":
            return Finding(
                "gpu", "fail", found, "install the NVIDIA driver and a CUDA build of torch, or use --profile embedded"
            )
        return Finding("gpu", "ok", f"{found}; profile {profile.name} needs none")
    total = torch.cuda.get_device_properties(0).total_memory / 2**30
    found = f"{torch.cuda.get_device_name(0)}, {total:.1f} GB, CUDA {torch.version.cuda}"
    return _room(profile, settings, found) if profile.device == "cuda" else Finding("gpu", "ok", found)


def _room(profile: Profile, settings: Settings, found: str) -> Finding:
    """Whether what the plan has on the card at once fits it; the profile's round number is more than cards have."""
    made = planned(profile, settings)
    usable = card.usable_gb(profile) or 0.0
    room = min(usable, made.budget_gb)
    peak = max((phase.gb for phase in made.evaluation), default=0.0)
    more = card.overdrawn(profile, settings)
    if peak > room:
        fix = f"profile {profile.name} needs {peak:.1f} GB at once, and {room:.1f} GB can be taken"
        return Finding("gpu", "fail", found, f"{fix}; {more or 'see dqa plan'}")
    if more is not None:
        return Finding("gpu", "warn", found, more)
    if settings.taste_model is not None and made.peak_gb > room:
        fix = f"training DQA_TASTE_MODEL is planned with {made.peak_gb:.1f} GB, and {room:.1f} GB can be taken"
        return Finding("gpu", "warn", found, f"{fix}; see dqa plan")
    return Finding("gpu", "ok", found)


def planned(profile: Profile, settings: Settings) -> Plan:
    """The plan that ``dqa plan`` shows."""
    from dqa.evaluation.residence import as_asked

    profile = as_asked(profile, settings)
    known = [pinned(component, settings.home) for component in profile.components]
    measured = MemoryBook(settings.home).needs(known, "cuda" if profile.device == "cuda" else "cpu", settings)
    return plan_profile(profile, "auto", card.budget_gb(profile, settings), measured)


def available_memory_gb() -> float | None:
    """Memory that can be taken now, in GiB, from the machine and its control group; None if neither says."""
    amounts = [amount for amount in (_meminfo_available(), _cgroup_available()) if amount is not None]
    return min(amounts) / 2**30 if amounts else None


def _memory(profile: Profile) -> Finding:
    free = available_memory_gb()
    if free is None:
        return Finding("memory", "warn", "this system does not say how much is free", "see dqa plan for what is needed")
    need = _OVERHEAD_GB + (profile.budget_gb if profile.device == "cpu" else 0)
    found = f"{free:.1f} GB free"
    if free < need:
        return Finding(
            "memory", "fail", f"{found}, about {need:.1f} GB needed", "close other programs, or see dqa plan"
        )
    return Finding("memory", "ok", found)


def _meminfo_available() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return None
    return None


def _cgroup_available() -> int | None:
    """What a container may still take (cgroup version 2)."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = int((folder / "memory.max").read_text(encoding="ascii"))
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        cache = [
            line
            for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines()
            if line.startswith("file ")
        ]
        return max(0, limit - used + int(cache[0].split()[1])) if cache else limit - used
    except (OSError, ValueError):  # "max" is no number: there is no limit
        return None


def _disk(home: Path) -> Finding:
    folder = next(p for p in (home, *home.parents) if p.exists())
    free = shutil.disk_usage(folder).free / 2**30
    found = f"{free:.1f} GB free under {folder}"
    if free < _LEAST_FREE_GB:
        return Finding("disk", "fail", found, "free some space, or set DQA_HOME to another disk")
    return Finding("disk", "ok", found)


def _threads() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    threads = os.environ.get("OMP_NUM_THREADS")
    found = f"{cores} cores, OMP_NUM_THREADS {threads or 'unset (dqa takes 1)'}"
    if threads and threads.isdigit() and int(threads) >= cores > 1:
        return Finding(
            "processor", "warn", found, "set OMP_NUM_THREADS=1: on busy machines more threads are much slower"
        )
    return Finding("processor", "ok", found)

"""The card there is: how much of its memory the models may take."""

from __future__ import annotations

from dqa.config import Settings
from dqa.models.profiles import Profile
from dqa.models.residency.meter import GB, on_cuda

RESERVE_GB = 1.5
"""What models leave of a card: for CUDA's context and the kernels it loads (0.3 to 0.6 GB a process), for workspaces of
cuBLAS and cuDNN, which PyTorch's allocator does not count, for what that holds in pieces too small to use, and for a
desktop's windows. An estimate, not a measurement."""


def card_gb(profile: Profile) -> float | None:
    """All memory of the card that a profile works on; None where it needs none or there is none.

    A card sold as 24 GB has 23.6 of the gigabytes counted here (2^30 bytes).
    """
    try:
        if not on_cuda(profile.device):
            return None
    except (ImportError, OSError):  # torch is not installed, or a library of its own is missing
        return None
    import torch

    return torch.cuda.get_device_properties(0).total_memory / GB


def usable_gb(profile: Profile) -> float | None:
    """What of that models may take; None as :func:`card_gb`."""
    card = card_gb(profile)
    return None if card is None else max(card - RESERVE_GB, 0.0)


def budget_gb(profile: Profile, settings: Settings) -> float:
    """What the settings say, else the profile, but no more than the card has."""
    if settings.budget_gb is not None:
        return settings.budget_gb
    usable = usable_gb(profile)
    return profile.budget_gb if usable is None else min(profile.budget_gb, usable)


def overdrawn(profile: Profile, settings: Settings) -> str | None:
    """What to tell a user whose budget is more than the card has; None where it isn't, or nobody set one."""
    usable = usable_gb(profile)
    if settings.budget_gb is None or usable is None or settings.budget_gb <= usable:
        return None
    return (
        f"the budget is {settings.budget_gb:g} GB, but of this card models can take about {usable:.1f} GB; "
        "lower DQA_BUDGET_GB (--budget-gb), or leave it out"
    )

"""What this machine can do for a training, and what is chosen of it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Literal

from dqa.errors import ModelUnavailable
from dqa.taste.heavy.config import TrainingConfig


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is: a CUDA device, bf16 arithmetic on it (of its own, not emulated), the packages bitsandbytes and
    unsloth."""

    cuda: bool = False
    bf16: bool = False
    bitsandbytes: bool = False
    unsloth: bool = False

    @classmethod
    def here(cls) -> Machine:
        """This machine; imports torch, and neither of the two packages."""
        import torch

        cuda = torch.cuda.is_available()
        bf16 = cuda and torch.cuda.is_bf16_supported(including_emulation=False)
        return cls(cuda, bf16, _installed("bitsandbytes"), _installed("unsloth"))


@dataclass(frozen=True, slots=True)
class How:
    """How the base model is loaded and trained; ``notes`` says what was wanted and can't be had."""

    device: Literal["cpu", "cuda"]
    bf16: bool
    nf4: bool
    unsloth: bool
    notes: tuple[str, ...] = ()


def choose(config: TrainingConfig, machine: Machine) -> How:
    """What the settings allow and the machine can.

    Raises:
        ModelUnavailable: 4 bit was asked for by name, and the machine lacks CUDA or bitsandbytes. (Unsloth is only ever
            an accelerator: without it the same training takes longer.)
    """
    can_quantise = machine.cuda and machine.bitsandbytes
    if config.quantise == "nf4" and not can_quantise:
        missing = "the package bitsandbytes" if machine.cuda else "a CUDA device"
        raise ModelUnavailable(f"training in 4 bit needs {missing}", fix="install it, or leave quantise at auto")
    notes: list[str] = []
    can_accelerate = machine.cuda and machine.unsloth
    if config.accelerator == "unsloth" and not can_accelerate:
        lacking = "it is not installed" if machine.cuda else "there is no GPU"
        notes.append(f"Unsloth was asked for and left out: {lacking}")
    if config.precision == "bf16" and not machine.bf16:
        notes.append("bf16 was asked for and left out: this device does not compute in it")
    return How(
        device="cuda" if machine.cuda else "cpu",
        bf16=config.precision != "fp32" and machine.bf16,
        nf4=config.quantise != "none" and can_quantise,
        unsloth=config.accelerator != "none" and can_accelerate,
        notes=tuple(notes),
    )


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None

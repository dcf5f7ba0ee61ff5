"""How much memory is taken: on a CUDA device as PyTorch counts it, else by this process."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")

GB = 2**30


@dataclass(frozen=True, slots=True)
class Reading:
    """Gigabytes (2^30 bytes).

    Attributes:
        allocated: in use. On a CPU the process's resident memory.
        reserved: held by PyTorch's allocator, in use or not. On a CPU likewise the resident memory.
        peak: most that was in use since the last :meth:`Meter.restart`. On a CPU since the process began.
    """

    allocated: float
    reserved: float
    peak: float


class Meter(Protocol):
    """Reads one device's memory."""

    exact: bool
    """Whether ``allocated`` counts what was asked for, rather than pages the system gives and takes."""

    def read(self) -> Reading: ...

    def restart(self) -> None:
        """The peak counts from now on."""
        ...

    def free(self) -> None:
        """Gives back what nothing uses any more."""
        ...


class ProcessMeter:
    """Resident memory of this process."""

    exact = False

    def read(self) -> Reading:
        import resource

        import psutil

        now = psutil.Process().memory_info().rss / GB
        return Reading(now, now, max(now, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GB))

    def restart(self) -> None:
        """The system keeps no peak that could be set back."""

    def free(self) -> None:
        gc.collect()


class CudaMeter:
    """Memory of the CUDA device as PyTorch's allocator counts it."""

    exact = True

    def read(self) -> Reading:
        import torch

        cuda = torch.cuda
        return Reading(
            cuda.memory_allocated() / GB, cuda.memory_reserved() / GB, max(cuda.max_memory_allocated() / GB, 0.0)
        )

    def restart(self) -> None:
        import torch

        torch.cuda.reset_peak_memory_stats()

    def free(self) -> None:
        import torch

        gc.collect()
        torch.cuda.empty_cache()


def meter_of(device: str) -> Meter:
    """The meter of a profile's device; ``cuda`` on a machine without one runs on the CPU, and is measured there."""
    return CudaMeter() if on_cuda(device) else ProcessMeter()


def on_cuda(device: str) -> bool:
    """Whether a profile's device is a CUDA device that is there. Loads torch only for a profile that wants one."""
    if device != "cuda":
        return False
    import torch

    return torch.cuda.is_available()


def measured(meter: Meter, work: Callable[[], T]) -> tuple[T, float]:
    """The result of ``work``, and by how many gigabytes the memory in use grew."""
    if meter.exact:  # else what lies about unused says little, and looking for it takes long
        meter.free()
    before = meter.read().allocated
    result = work()
    return result, meter.read().allocated - before

"""Whether an error says that memory ran out: each library says so in its own way."""

from __future__ import annotations

import re
import sys

from dqa.errors import InsufficientMemory

_WORDS = re.compile(r"out of memory|can't allocate memory|not enough memory|cannot allocate memory", re.IGNORECASE)


def ran_out(error: BaseException) -> bool:
    """Whether memory ran out: a device's as PyTorch says it, the host's, or a model that has put it into words.

    PyTorch has a class of its own for a device's allocator only. What fails on the host is a plain ``RuntimeError`` of
    its ``DefaultCPUAllocator``, and what a kernel or a library on the device runs into is an ``AcceleratorError``: both
    are told from other faults by their words.

    >>> ran_out(RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: ..."))
    True
    >>> ran_out(RuntimeError("the prompt is out of memory lane"))
    False
    """
    if isinstance(error, InsufficientMemory | MemoryError):
        return True
    torch = sys.modules.get("torch")  # where it is not loaded, it has raised nothing
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    said = str(error)
    if torch is not None and isinstance(error, getattr(torch, "AcceleratorError", ())):
        return _WORDS.search(said) is not None
    return isinstance(error, RuntimeError) and "CPUAllocator" in said and _WORDS.search(said) is not None

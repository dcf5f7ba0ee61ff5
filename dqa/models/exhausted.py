"""Memory that ran out, in whatever words: of PyTorch, CUDA's libraries, the operating system, or our own.

Whoever meets such an error does with less (:mod:`dqa.evaluation.ladder`) or says so. It must never pass for a damaged
model: that is what loaders make of the other RuntimeErrors, and ``torch.OutOfMemoryError`` is one too.
"""

from __future__ import annotations

import errno
import re
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager

from dqa.errors import InsufficientMemory

_WORDS = re.compile(r"out of memory|not enough memory|can.?t allocate memory|cannot allocate memory", re.IGNORECASE)
"""What ``torch.AcceleratorError`` says, a kernel's or a library's."""

_SAID = re.compile(
    r"(CUDA|HIP)( error:)? out of memory"
    r"|(CUBLAS|CUDNN|CUSOLVER|CUSPARSE)_STATUS_ALLOC_FAILED"  # they take workspaces past PyTorch's allocator
    r"|CPUAllocator|can't allocate memory"  # how the host's fails is a plain RuntimeError
)
"""What any other RuntimeError says when memory ran out."""


def ran_out(error: BaseException) -> bool:
    """Whether a device or the host had not enough memory.

    >>> ran_out(MemoryError()), ran_out(RuntimeError("CUDA error: out of memory"))
    (True, True)
    >>> ran_out(RuntimeError("the prompt is out of memory lane"))
    False
    """
    if isinstance(error, InsufficientMemory | MemoryError):
        return True
    if isinstance(error, OSError):  # a file that can't be mapped
        return error.errno == errno.ENOMEM
    torch = sys.modules.get("torch")  # where it is not loaded, it has raised nothing
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    if torch is not None and isinstance(error, torch.AcceleratorError):
        return _WORDS.search(str(error)) is not None
    return isinstance(error, RuntimeError) and any(map(_SAID.search, (str(error), *_swallowed(error))))


@contextmanager
def told(what: str) -> Generator[None]:
    """Memory that runs out inside is raised as :class:`~dqa.errors.InsufficientMemory`.

    Args:
        what: was under way, e.g. ``"loading the model vlm"``.
    """
    try:
        yield
    except InsufficientMemory:
        raise
    except Exception as error:
        if not ran_out(error):
            raise
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InsufficientMemory(
            f"there was not enough memory for {what} ({said[:200]})",
            fix="free the device, lower DQA_BUDGET_GB so that fewer models share it, or take a smaller profile",
        ) from None


def _swallowed(error: BaseException) -> list[str]:
    """What failed while transformers converted weights, such as to 4 bit: it keeps the errors as texts, logs those,
    and raises one that says none of it."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        kept = getattr(frame.f_locals.get("loading_info"), "conversion_errors", None)
        if isinstance(kept, dict):
            return [str(text) for text in kept.values()]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return []

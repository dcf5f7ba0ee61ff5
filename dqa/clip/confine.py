"""The decoder process gives up what it does not need before it reads the first hostile byte.

Memory, processor time and core dumps are bounded at the start. Once everything is imported and the media file is open,
:func:`lock` takes away the right to open anything further: no file, no socket, whatever a playlist inside the
media asks for. This holds for root too, for whom file permissions would not.
"""

from __future__ import annotations

import contextlib
import resource


def bound(memory_bytes: int, cpu_s: int) -> None:
    """Limits address space and processor time; no core dump, no file written."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_CPU, cpu_s)


def lock() -> None:
    """From here on no descriptor can be made; those that are open stay."""
    _limit(resource.RLIMIT_NOFILE, 0)


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    # Some systems refuse some limits (macOS the address space); the rest still holds.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, value))

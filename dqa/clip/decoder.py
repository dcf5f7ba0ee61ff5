"""The decoder process: ``python -m dqa.clip.decoder REQUEST``, the media on stdin, messages on stdout.

Everything that parses hostile bytes runs in here, alone: when a codec crashes, hangs or eats memory, this process dies
and the one that asked lives. It has no secrets (its environment is emptied by the parent), and by the time it reads it
can open nothing (:mod:`dqa.clip.confine`). What goes wrong is told in a word, never in a library's own text.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from dqa.clip import confine
from dqa.clip.outlet import Outlet, Refusal
from dqa.clip.protocol import NOT_INSTALLED, Code, Request

_PICTURES = ("png", "jpg", "gif", "webp")


def main(argument: str) -> int:
    """Decodes one file; returns the exit status."""
    request = Request.from_argument(argument)
    confine.bound(request.memory_bytes, request.cpu_s)
    outlet = Outlet(_private_stdout(), request)
    try:
        decoder = import_module("dqa.clip.picture" if request.container in _PICTURES else "dqa.clip.video")
    except ModuleNotFoundError:
        return NOT_INSTALLED
    with os.fdopen(0, "rb", buffering=2**16) as file:
        confine.lock()
        try:
            decoder.decode(file, request, outlet)
        except BrokenPipeError:  # the reader has seen enough
            pass
        except Exception as error:  # noqa: BLE001 - mutated bytes make the libraries raise anything; a word leaves
            outlet.error(_code(error))
    return 0


def _code(error: Exception) -> Code:
    if isinstance(error, Refusal):
        return error.code
    return Code.MEMORY if isinstance(error, MemoryError) else Code.BROKEN


def _private_stdout() -> int:
    """Moves the pipe off stdout, so that what a library prints can't end up between the messages."""
    pipe = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)
    return pipe


if __name__ == "__main__":
    # No clean-up: the pipe is written through, and a library's exit handlers have nothing to add.
    os._exit(main(sys.argv[1]))

"""Stands in for the tools' interpreter: takes the server's own variables away, then becomes that interpreter.

Letta hands a tool its whole environment, passwords included, and the agent's own variables on top. What is dropped are
the names in a file, those that the server was started with; what is left is the agent's.

Run as a file with ``python -I -S``, without DQA: INTERPRETER FILE ARGUMENTS...
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    interpreter, listing, *arguments = sys.argv[1:]
    with open(listing, encoding="utf-8") as names:  # noqa: PTH123 - pathlib takes longer to import than the rest
        dropped = set(names.read().split())
    os.execve(  # noqa: S606 - no shell: the arguments are handed on as they are
        interpreter, [interpreter, *arguments], {k: v for k, v in os.environ.items() if k not in dropped}
    )

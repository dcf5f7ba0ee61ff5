"""The command ``dqa``: a module per command. stdout is data, stderr is progress and messages.

Exit codes: 0 done, 1 below ``--fail-below`` (or not reproduced), 2 wrong usage, 3 an input can't be evaluated,
4 something needed is not available; 130 interrupted, 141 the reader of stdout went away.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and leaves the process with its exit code; ``arguments`` default to ``sys.argv[1:]``."""
    from dqa.cli.guard import run

    sys.exit(run(arguments))

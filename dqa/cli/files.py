"""Writing a file whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dqa.cli.output import write
from dqa.errors import UsageError


def write_all(path: Path | None, pieces: Iterable[str]) -> None:
    """Writes pieces of text to a file that is there only once all are written; to stdout for None or ``-``.

    Raises:
        UsageError: the file can't be written.
        StdoutClosed: stdout's reader went away.
        StdoutUnwritable: stdout can't be written.
    """
    if path is None or str(path) == "-":
        for piece in pieces:
            write(piece)
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.writelines(pieces)
        part.replace(path)
    except OSError as error:
        what = f"can't be written ({(error.strerror or str(error)).lower()})"
        raise UsageError(what, fix="give another file", where=str(path)) from None
    finally:
        part.unlink(missing_ok=True)

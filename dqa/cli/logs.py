"""The log file ``$DQA_HOME/logs/dqa.log``: one JSON object a line, and the tracebacks the terminal is spared."""

from __future__ import annotations

import os
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO, cast

from dqa.config import Settings, load_settings
from dqa.errors import DQAError
from dqa.record import EvaluationRecord

_LARGEST = 10 * 2**20
"""Bytes after which the log starts anew; the one before is kept beside it."""

_current_home: Path | None = None


def configure(settings: Settings) -> None:
    """Sends structured log lines to the file; without a writable folder, nowhere: stdout is for data."""
    import logging

    import structlog

    global _current_home  # noqa: PLW0603 - a process has one log, as it has one stderr
    _current_home = settings.home
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _LogFile(settings.home))),
    )


def log_path(home: Path) -> Path:
    """Where the log of this state folder lies."""
    return home / "logs" / "dqa.log"


def failed_channels(record: EvaluationRecord, settings: Settings) -> str:
    """What to tell the user about channels that broke, whose tracebacks are in the log; empty when none did."""
    failed = [name for name, result in record.channels.items() if result.status == "failed"]
    return f"warning: {', '.join(failed)} failed; see {log_path(settings.home)}." if failed else ""


def crash_sentence(error: BaseException) -> str:
    """Writes the traceback to the log and returns what the user is told."""
    what = f"unexpected {type(error).__name__} in DQA itself"
    try:
        path = write_traceback(error)
    except OSError as failure:
        return f"{what}, and no log could be written ({failure.strerror}); set DQA_HOME to a writable folder."
    return f"{what}; please report it with the traceback in {path}."


def write_traceback(error: BaseException) -> Path:
    """Appends the traceback of ``error`` to the log and returns the log's path.

    Raises:
        OSError: the log can't be written.
    """
    path = log_path(_current_home or _home())
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(traceback.format_exception(error))
    with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} pid {os.getpid()}\n{text}")
    return path


def _home() -> Path:
    try:
        return load_settings().home
    except DQAError:
        return Path.home() / ".dqa"


class _LogFile:
    """The log of a state folder as a text stream: opened for each line, since most commands log nothing at all."""

    def __init__(self, home: Path) -> None:
        self._path = log_path(home)

    def write(self, text: str) -> int:
        """Appends; where the folder can't be written, nothing."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.is_file() and self._path.stat().st_size > _LARGEST:
                self._path.replace(self._path.with_suffix(".log.1"))
            with self._path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                return file.write(text)
        except OSError:
            return 0

    def flush(self) -> None:
        """Nothing waits."""

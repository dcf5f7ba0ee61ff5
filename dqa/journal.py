"""The log of a run, one JSON object a line: what is not in it did not happen, and all that is in it did."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from dqa.errors import Busy, InputError, UnavailableError


class Journal:
    """A file that grows by whole lines, each on the disk before anything builds on it. Used with ``with``.

    Args:
        path: the file; made if need be. A line that a kill left unfinished is cut off.
        what: what it is the log of, for messages.
        option: the command's option that chooses another log.

    Attributes:
        events: what it holds, in order.
    """

    def __init__(self, path: Path, what: str = "run", option: str = "--out") -> None:
        self.path = path
        self._what = what
        self._option = option
        self.events: list[dict[str, Any]] = []
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Opens it for this process alone.

        Raises:
            Busy: another process has it.
            InputError: it is no log.
            UnavailableError: it can't be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            what = f"the log can't be written ({(error.strerror or str(error)).lower()})"
            raise UnavailableError(what, fix=f"choose another {self._option}", where=str(self.path)) from None
        try:
            self._lock()
            self._read()
        except BaseException:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def write(self, event: Mapping[str, Any]) -> None:
        """Appends an event; it is on the disk when this returns.

        Raises:
            UnavailableError: the disk is full or gone; nothing of it is kept.
        """
        line = json.dumps(event, ensure_ascii=True, allow_nan=False).encode() + b"\n"
        end = os.lseek(self._descriptor, 0, os.SEEK_END)
        try:
            short = os.write(self._descriptor, line) != len(line)
            os.fsync(self._descriptor)
        except OSError:
            short = True
        if short:
            os.ftruncate(self._descriptor, end)
            raise UnavailableError(
                "the log can't be written to its end", fix="make room and run it again", where=str(self.path)
            )
        self.events.append(dict(event))

    def newest(self, *kinds: str) -> dict[str, Any] | None:
        """The last event of one of these kinds; None when there is none."""
        return next((event for event in reversed(self.events) if event["event"] in kinds), None)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(
                f"another process runs this {self._what}", fix=f"wait for it, or use another {self._option}"
            ) from None

    def _read(self) -> None:
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) != len(data):
            os.ftruncate(self._descriptor, len(whole))
        for number, line in enumerate(whole.splitlines(), 1):
            self.events.append(self._event(number, line))

    def _event(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            event: object = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict) or "event" not in event:
            raise InputError(
                f"line {number} of the log is none of its own", fix=f"use another {self._option}", where=str(self.path)
            )
        return cast("dict[str, Any]", event)

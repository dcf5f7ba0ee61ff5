"""A batch's output: a line per request, appended and synced as it is done, and taken up again after a crash.

A run that was killed leaves at most one torn line, at the end; the next run drops it. A line that is there is never
written again. One run at a time holds the file.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from dqa.errors import Conflict, DQAError, UnavailableError, UsageError
from dqa.record import EvaluationRecord

_OPENING = b'{"request_id":'
"""How every line starts, so that a torn one is told from somebody else's file."""


@dataclass(frozen=True, slots=True)
class Done:
    """What an earlier run left for one request. The fields other than ``failed`` are None for an error line.

    ``benchmark_backend`` is None for the profile's own, too.
    """

    failed: bool
    prompt: str | None = None
    user: str | None = None
    media: str | None = None
    profile: str | None = None
    benchmark_backend: str | None = None
    sha256: str | None = None
    seed: int | None = None


class Results:
    """The output file, held for one run. Use with ``with``.

    Attributes:
        done: what was there on opening, by request id as text.

    Raises:
        Conflict: another run holds the file.
        UsageError: the file exists and is no output of a batch; it is left as it is.
        UnavailableError: the file can't be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _open(path)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.done = self._take_up()
        except BlockingIOError:
            self._file.close()
            raise Conflict("another batch is writing this file", fix="wait for it to end", where=str(path)) from None
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write_record(self, request_id: str | int, record: EvaluationRecord) -> None:
        """Appends a verdict."""
        self._append({"request_id": request_id, **json.loads(record.to_json())})

    def write_error(self, request_id: str | int, error: DQAError) -> None:
        """Appends a failure: its type, and the sentence a person would have been shown."""
        self._append({"request_id": request_id, "error": {"type": error.type, "detail": error.sentence()}})

    def _append(self, line: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            what = (error.strerror or str(error)).lower()
            fix = "mend that and run the same command again: it goes on where it was"
            raise UnavailableError(f"can't be written ({what})", fix=fix, where=str(self._path)) from None

    def _take_up(self) -> dict[str, Done]:
        self._file.seek(0)
        done: dict[str, Done] = {}
        good = 0
        for number, line in enumerate(self._file, start=1):
            entry = _read(line)
            if entry is None and line.endswith(b"\n"):
                raise UsageError(
                    f"line {number} is not a batch's, so the file is left alone",
                    fix="name another --output",
                    where=str(self._path),
                )
            if entry is None:
                self._drop_torn(line, good)
                break
            done[entry[0]] = entry[1]
            good += len(line)
            if not line.endswith(b"\n"):
                self._file.seek(0, os.SEEK_END)
                self._file.write(b"\n")
        self._file.seek(0, os.SEEK_END)
        return done

    def _drop_torn(self, tail: bytes, good: int) -> None:
        """Cuts off the half line of a killed run, but nothing that we can't have written."""
        start = tail[: len(_OPENING)]
        if tail.strip(b"\0") and not _OPENING.startswith(start):
            raise UsageError(
                "the last line is not a batch's, so the file is left alone",
                fix="name another --output",
                where=str(self._path),
            )
        self._file.truncate(good)


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("r+b") if path.exists() else path.open("x+b")
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise UsageError(
            f"can't be opened for writing ({what})", fix="name another --output", where=str(path)
        ) from None


def _read(line: bytes) -> tuple[str, Done] | None:
    """The request id and what is known of it; None for a line that is not whole, or not ours."""
    try:
        data = json.loads(line)
        key = str(data["request_id"])
        if "error" in data:
            return key, Done(failed=True)
        recipe = data["reproduce"]
        backend = recipe.get("benchmark_backend")
        done = Done(False, data["prompt"], data["user"], recipe["media"], data["profile"], backend)
        return key, replace(done, sha256=recipe["sha256"], seed=recipe["seed"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None

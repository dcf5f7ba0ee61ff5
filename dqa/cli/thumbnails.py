"""Small pictures of clips that were judged before, to stand beside scores."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dqa.cli import runtime
from dqa.cli.reproduce import file_sha256
from dqa.config import Settings
from dqa.errors import DQAError
from dqa.record import EvaluationRecord

if TYPE_CHECKING:
    from dqa.clip.limits import Limits

_SIDES = (192, 128, 96)
_MOST_BYTES = 17_900
"""Base64 makes a third more of it, and a version takes 24,000 characters."""


class Thumbnails:
    """Small pictures of records' clips, where the very clip is still at hand."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def of(self, record: EvaluationRecord) -> str | None:
        """A JPEG data URI of at most 24,000 characters; None when the clip is gone, changed or can't be read."""
        from dqa.clip.limits import Limits

        path = self._clip(record)
        return None if path is None else small(path, "representative", Limits.from_settings(self._settings))

    def _clip(self, record: EvaluationRecord) -> Path | None:
        try:
            stored = runtime.open_store(self._settings).find_media(record.media.sha256)
        except DQAError:  # an example is a courtesy: without its picture the numbers still stand
            stored = None
        paths = (Path(record.reproduce.media), stored)
        return next((path for path in paths if path is not None and _holds(path, record.media.sha256)), None)


def _holds(path: Path, sha256: str) -> bool:
    """Whether a file is there and has that content."""
    try:
        return path.is_file() and file_sha256(path) == sha256
    except OSError:
        return False


def small(path: Path, which: int | Literal["representative"], limits: Limits) -> str | None:
    """A frame as a JPEG data URI of at most 24,000 characters; None when the clip can't be read."""
    from dqa.clip.frameserver import frame_jpeg

    try:
        for side in _SIDES:
            data = frame_jpeg(path, which, limits, max_side=side)
            if len(data) <= _MOST_BYTES:
                return f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"
    except DQAError:  # an example is a courtesy
        return None
    return None

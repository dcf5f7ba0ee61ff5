"""What a report shows beside its own clips: the same user's earlier ones, with small pictures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from dqa.cli.reproduce import file_sha256
from dqa.cli.thumbnails import small
from dqa.config import Settings
from dqa.errors import DQAError
from dqa.record import EvaluationRecord

if TYPE_CHECKING:
    from dqa.report.examples import Earlier
    from dqa.store import Store

LOOKED_AT = 200
"""How many of the newest evaluations are looked at."""

_MOST_BYTES = 500_000_000
_TIMEOUT_S = 20.0
"""A clip that takes more than this to read is no example: a report is waited for."""

log = structlog.get_logger(__name__)


def earlier(settings: Settings, record: EvaluationRecord) -> Earlier:
    """The newest evaluations of a record's user and profile; none where the store does not work."""
    from dqa.report.examples import Earlier
    from dqa.store import Store

    try:
        store = Store.open(settings)
        records = _records(store, record)
    except Exception as error:  # noqa: BLE001 - whatever ails the database, the report is still worth writing
        log.warning("no earlier evaluations for the report", problem=f"{type(error).__name__}: {error}")
        return Earlier((), lambda _: None)
    return Earlier(records, _Pictures(settings, store).of)


def _records(store: Store, record: EvaluationRecord) -> list[EvaluationRecord]:
    from dqa.store.summaries import Wanted

    wanted = Wanted(user=record.user, profile=record.profile)
    found: list[EvaluationRecord] = []
    for text in store.list_records_json(LOOKED_AT, wanted):
        try:
            found.append(EvaluationRecord.from_json(text))
        except ValueError:  # of a version that wrote them otherwise: no example, and no reason to have no report
            log.info("an evaluation in the store can't be read", user=record.user)
    return found


class _Pictures:
    """Pictures of clips that were judged on this machine or uploaded to it.

    A record from elsewhere may name any path, so that its own word for where its clip lies is not taken.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._content: dict[Path, str] = {}

    def of(self, record: EvaluationRecord) -> str | None:
        """The frame in the middle, found without decoding all of the clip; see :func:`~dqa.cli.thumbnails.small`."""
        from dqa.clip.limits import Limits

        path = self._clip(record.media.sha256)
        if path is None:
            return None
        limits = Limits.from_settings(self._settings)
        bounded = dataclasses.replace(limits, timeout_s=min(limits.timeout_s, _TIMEOUT_S))
        return small(path, record.media.frames // 2, bounded)

    def _clip(self, sha256: str) -> Path | None:
        try:
            path = self._store.find_media(sha256)
            return path if path is not None and self._holds(path) == sha256 else None
        except (DQAError, OSError):  # an example is a courtesy
            return None

    def _holds(self, path: Path) -> str:
        """SHA-256 of a file, read once: a generator may have written many clips to one place; empty for a huge one."""
        if path not in self._content:
            self._content[path] = file_sha256(path) if path.stat().st_size <= _MOST_BYTES else ""
        return self._content[path]

"""Keeps every verdict in the store, so that ``dqa reproduce`` finds it; a store that fails costs no verdict."""

from __future__ import annotations

from pathlib import Path

from dqa.cli import runtime
from dqa.cli.output import say
from dqa.config import Settings
from dqa.errors import DQAError
from dqa.record import EvaluationRecord


class Recorder:
    """Saves records; warns once, on stderr, when it can't."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: runtime.StoreLike | None = None
        self._failed = False

    def save(self, record: EvaluationRecord, media: Path) -> None:
        """Saves one record and where its clip lies. Never raises for a store that does not work."""
        if self._failed:
            return
        try:
            if self._store is None:
                self._store = runtime.open_store(self._settings)
            self._store.save_record(record, media.absolute())
        except Exception as error:  # noqa: BLE001 - whatever ails the database, the verdict is still worth printing
            self._failed = True
            what = error.sentence() if isinstance(error, DQAError) else f"{type(error).__name__}: {error}"
            say(f"warning: not kept in {self._settings.home}, so dqa reproduce won't find it: {what.rstrip('.')}.")

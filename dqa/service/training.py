"""Starts trainings of adapters that are due, one at a time, while the service runs."""

from __future__ import annotations

import os
import threading

import structlog

from dqa.config import Settings
from dqa.errors import DQAError
from dqa.service.lineage import identity, is_gone
from dqa.store import Store
from dqa.training.trainer import Trainer

log = structlog.get_logger(__name__)

LOOK_S = 5.0
"""How often it looks for new choices; a look reads nothing but the versions when there are none."""


class TrainingSchedule(threading.Thread):
    """Looks after each step whether a training is due, and runs what waits; does nothing without a language model.

    The training runs in a child process of its own. When the service stops, the child ends at once and the training
    goes on where it was when the service runs again; when the service is killed, likewise.
    """

    def __init__(self, settings: Settings, store: Store, trainer: Trainer | None = None) -> None:
        super().__init__(name="training", daemon=True)
        self._store = store
        self._trainer = trainer or Trainer(settings, store, identity(os.getpid()))
        self._stopping = threading.Event()
        self._seen: dict[tuple[str, str], int] = {}

    def start(self) -> None:
        """Starts looking, if a language model is set."""
        if self._trainer.enabled:
            super().start()

    def stop(self) -> None:
        """Ends the training under way, at once, and waits for it."""
        self._stopping.set()
        if self.is_alive():
            self.join(timeout=5)

    def run(self) -> None:
        """The thread: look, train, look again."""
        try:
            self._trainer.tidy()
        except (DQAError, OSError) as error:
            log.warning("no tidying", error=str(error))
        while not self._stopping.is_set():
            try:
                self._look()
            except (DQAError, OSError) as error:  # the database or disk may come back
                log.warning("trainings not looked after", error=str(error))
            self._stopping.wait(LOOK_S)

    def _look(self) -> None:
        self._store.trainings.release_lost(is_gone)
        for (user, profile), version in self._store.trainings.candidates().items():
            if self._seen.get((user, profile)) != version and not self._stopping.is_set():
                self._seen[user, profile] = version
                if self._trainer.due(user, profile).due:
                    self._trainer.ask(user, profile)
        while not self._stopping.is_set():
            done = self._trainer.run_next(lambda _: None, self._stopping.is_set)
            if done is None:
                return
            log.info("training ended", training=done.id, status=done.status, outcome=done.outcome)

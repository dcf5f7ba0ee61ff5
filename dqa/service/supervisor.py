"""Looks after the workers: stops what runs too long or was cancelled, and gives back what the dead held."""

from __future__ import annotations

import threading
import time

import structlog
from pydantic import JsonValue

from dqa.config import Settings
from dqa.errors import DQAError, TookTooLong
from dqa.service.lineage import is_gone
from dqa.service.metrics import Metrics
from dqa.service.problems import problem_of
from dqa.service.slot import DIED, WorkerSlot
from dqa.store import Store

log = structlog.get_logger(__name__)

REAL_EVALUATOR = "dqa.graders:evaluator_with_taste"
_LOOK_S = 0.5
_GRACE_S = 3.0
"""How long a cancelled evaluation may take to stop by itself."""
_TIDY_S = 3600.0


class Supervisor:
    """The workers of one service.

    Args:
        settings: how many workers, and how long a job may take.
        evaluator: ``module:class`` that the workers run.
    """

    def __init__(self, settings: Settings, store: Store, metrics: Metrics, evaluator: str = REAL_EVALUATOR) -> None:
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._slots = [WorkerSlot(n, settings, evaluator, store, metrics) for n in range(settings.workers)]
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._run, name="watch", daemon=True)

    @property
    def ready(self) -> int:
        """How many workers have their models loaded."""
        return sum(slot.ready for slot in self._slots)

    @property
    def fault(self) -> dict[str, JsonValue] | None:
        """Why no worker can work, as far as known; None while one can or still loads."""
        faults = [slot.fault for slot in self._slots]
        return None if self.ready or None in faults else faults[0]

    def start(self) -> None:
        """Starts the workers and the watch."""
        for slot in self._slots:
            slot.start()
        self._watch.start()

    def stop(self) -> None:
        """Ends the workers; jobs under way go back into the queue. Returns when all are gone."""
        self._stopping.set()
        for slot in self._slots:
            slot.stop()
        for slot in self._slots:
            slot.join(timeout=3)
            slot.kill()
            slot.join(timeout=3)
        self._watch.join(timeout=3)

    def _run(self) -> None:
        tidied = -_TIDY_S
        while not self._stopping.wait(_LOOK_S):
            try:
                self._look()
                if time.monotonic() - tidied > _TIDY_S:
                    self._store.jobs.forget_old(_TIDY_S)
                    self._store.media.sweep()
                    self._store.users.sweep()
                    tidied = time.monotonic()
            except (DQAError, OSError) as error:  # the database or disk may come back
                log.warning("watch failed", error=str(error))

    def _look(self) -> None:
        jobs = self._store.jobs
        owners = [slot.owner for slot in self._slots]
        for job, owner, was_cancelled in jobs.overdue(owners, self._settings.job_timeout_s, _GRACE_S):
            # The job ends before its worker does, so that the worker's end does not put it back into the queue.
            ended = jobs.cancelled(job, owner) if was_cancelled else jobs.fail(job, owner, self._too_long())
            if ended:
                self._kill(owner)
        jobs.release_lost(is_gone, DIED)
        self._metrics.ready.set(self.ready)

    def _kill(self, owner: str) -> None:
        for slot in self._slots:
            slot.kill(owner)

    def _too_long(self) -> dict[str, JsonValue]:
        limit = f"the evaluation took longer than {self._settings.job_timeout_s:g} seconds"
        return problem_of(TookTooLong(limit, fix="use a shorter clip, or raise DQA_JOB_TIMEOUT_S"))

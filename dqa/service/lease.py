"""Holding a job: the lease is renewed while the work goes on, and the work hears when it should stop."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

import structlog

from dqa.errors import Cancelled, DQAError
from dqa.models.device import WAITING
from dqa.store.jobs import Jobs

log = structlog.get_logger(__name__)

LEASE_S = 15.0
_RENEW_S = 1.0
_TELL_S = 0.25
"""Shortest time between two progress events of the same stage."""


class Lease:
    """Renews a job's lease from a thread of its own until left."""

    def __init__(self, jobs: Jobs, job_id: str, owner: str) -> None:
        self._jobs = jobs
        self._job_id = job_id
        self._owner = owner
        self._over = threading.Event()
        self._stop = threading.Event()
        self._told = ("", 0.0)
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def progress(self, stage: str, share: float) -> None:
        """Passes progress on to listeners; raises ``Cancelled`` when the job should stop."""
        if self._stop.is_set():
            raise Cancelled("the evaluation was cancelled", fix="ask again if you need it")
        last, when = self._told
        now = time.monotonic()
        if stage == last and now - when < _TELL_S:
            return
        self._told = (stage, now)
        try:
            if stage == WAITING:  # a training under way is not the evaluation's own time
                self._jobs.restart_clock(self._job_id, self._owner)
            self._jobs.progress(self._job_id, self._owner, stage, share)
        except DQAError as error:  # listeners miss a step; the evaluation itself is not worth less
            log.warning("progress not told", job=self._job_id, error=error.sentence())

    def _renew(self) -> None:
        while not self._over.wait(_RENEW_S):
            try:
                if self._jobs.renew(self._job_id, self._owner, LEASE_S) != "held":
                    self._stop.set()
            except DQAError as error:
                log.warning("lease not renewed", job=self._job_id, error=error.sentence())

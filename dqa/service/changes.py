"""Lets requests wait for jobs without asking the database each: one look for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import time

import structlog
from starlette.concurrency import run_in_threadpool

from dqa.errors import DQAError
from dqa.service.metrics import Metrics
from dqa.store import Store
from dqa.store.jobs import ENDED

log = structlog.get_logger(__name__)

_LOOK_S = 0.1


class Changes:
    """Wakes whoever waits when something happened to any job, and when the service is stopping."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self.stopping = False
        self._store = store
        self._metrics = metrics
        self._changed = asyncio.Event()
        self._seen = 0

    async def run(self) -> None:
        """Looks until cancelled."""
        self._seen = await run_in_threadpool(self._store.jobs.last_event)
        while True:
            try:
                if await run_in_threadpool(self._look) or self.stopping:
                    self._changed.set()
                    self._changed = asyncio.Event()
            except DQAError as error:
                log.warning("changes not seen", error=error.sentence())
            await asyncio.sleep(_LOOK_S)

    def next(self) -> asyncio.Event:
        """Set at the next change. Take it before looking at the store, or a change in between goes unnoticed."""
        return self._changed

    async def ended(self, job_id: str, timeout_s: float) -> None:
        """Returns when the job has ended, the time is over, or the service stops."""
        until = time.monotonic() + timeout_s
        while not self.stopping and (left := until - time.monotonic()) > 0:
            changed = self.next()
            job = await run_in_threadpool(self._store.jobs.get, job_id)
            if job is None or job.status in ENDED:
                return
            await soon(changed, min(left, 1.0))

    def _look(self) -> bool:
        if self._store.jobs.last_event() <= self._seen:
            return False
        for event in self._store.jobs.events(self._seen):
            self._seen = event.seq
            if event.kind in ENDED:
                self._metrics.jobs.labels(event.kind).inc()
        return True


async def soon(event: asyncio.Event, timeout_s: float) -> None:
    """Returns when the event is set, or the time is over."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), timeout_s)

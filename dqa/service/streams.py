"""Server-sent events: what happens to a job, as it happens; a client that comes back misses nothing."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool

from dqa.service.changes import soon
from dqa.service.context import Service
from dqa.store import Event
from dqa.store.jobs import ENDED


async def job_stream(service: Service, job_id: str, after: int) -> AsyncIterator[str]:
    """The job's events after number ``after``, then what comes, until it has ended or the service stops."""
    quiet_since = time.monotonic()
    while not service.changes.stopping:
        changed = service.changes.next()
        events = await run_in_threadpool(service.store.jobs.events, after, job_id)
        for event in events:
            after = event.seq
            yield sse(event)
        if events:
            quiet_since = time.monotonic()
        if any(event.kind in ENDED for event in events) or await _over(service, job_id, events):
            return
        if time.monotonic() - quiet_since >= service.limits.heartbeat_s:
            quiet_since = time.monotonic()
            yield ": still here\n\n"
        await soon(changed, min(1.0, service.limits.heartbeat_s))


async def done_stream(job_id: str) -> AsyncIterator[str]:
    """The one event of an evaluation that was not made by this service."""
    yield sse(Event(0, job_id, "done", {}))


def sse(event: Event) -> str:
    """One event in the wire format."""
    data = json.dumps({"id": event.job, "status": event.kind, **event.data})
    return f"id: {event.seq}\nevent: {event.kind}\ndata: {data}\n\n"


async def _over(service: Service, job_id: str, events: list[Event]) -> bool:
    """Whether nothing more will come: the client has seen the end already, or the job was deleted."""
    if events:
        return False
    job = await run_in_threadpool(service.store.jobs.get, job_id)
    return job is None or job.status in ENDED

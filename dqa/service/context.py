"""What the routes share: one service's settings, store, workers and measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Header, Request

from dqa.config import Settings
from dqa.service.changes import Changes
from dqa.service.generating import Generating
from dqa.service.limits import HttpLimits
from dqa.service.metrics import Metrics
from dqa.service.supervisor import Supervisor
from dqa.store import Store


@dataclass(frozen=True, slots=True)
class Service:
    """One running service."""

    settings: Settings
    limits: HttpLimits
    store: Store
    supervisor: Supervisor
    changes: Changes
    metrics: Metrics
    frame_slots: CapacityLimiter
    generating: Generating


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(_service)]
KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Sent again with the same key, a request makes nothing new.",
    ),
]

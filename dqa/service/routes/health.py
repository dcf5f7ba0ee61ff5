"""``/healthz``, ``/readyz`` and ``/metrics``: for whoever looks after the service."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

import dqa
from dqa.errors import DQAError, UnavailableError
from dqa.service.context import Service, ServiceDep
from dqa.service.metrics import CONTENT_TYPE
from dqa.service.problems import EVERYWHERE, documented, problem_of, respond
from dqa.service.schemas import Health

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="The process is up", responses={200: {"model": Health}, **documented(422, 431)})
async def healthz() -> Response:
    return JSONResponse({"status": "ok", "version": dqa.__version__})


@router.get(
    "/readyz",
    summary="Models are loaded and the database answers",
    responses={200: {"model": Health}, **documented(422, 431, 503)},
)
async def readyz(service: ServiceDep) -> Response:
    try:
        await run_in_threadpool(service.store.ping)
    except DQAError as error:
        return respond(problem_of(error))
    ready = service.supervisor.ready
    if ready:
        return JSONResponse({"status": "ready", "version": dqa.__version__, "workers_ready": ready})
    if service.supervisor.fault is not None:
        return respond(service.supervisor.fault)
    return respond(problem_of(UnavailableError("the models are still loading", fix="try again in a moment")))


@router.get(
    "/metrics",
    summary="Measurements for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **EVERYWHERE},
)
async def metrics(service: ServiceDep) -> Response:
    return Response(await run_in_threadpool(_measure, service), media_type=CONTENT_TYPE)


def _measure(service: Service) -> bytes:
    service.metrics.queued.set(service.store.jobs.count("queued"))
    service.metrics.running.set(service.store.jobs.count("running"))
    service.metrics.ready.set(service.supervisor.ready)
    return service.metrics.text()

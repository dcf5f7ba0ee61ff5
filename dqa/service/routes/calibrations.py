"""``/v1/calibrations``: put a reference into words, and compare a picture with it, axis by axis."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from dqa.errors import Busy, Cancelled, RecordNotFound
from dqa.service.calibration_schemas import CalibrationReport, CompareRequest, DescribeRequest
from dqa.service.calibrations import calibration_key, new_calibration
from dqa.service.context import KeyHeader, Service, ServiceDep
from dqa.service.ending import cancel_or_delete, endings
from dqa.service.problems import EVERYWHERE, documented, problem_of, respond
from dqa.service.schemas import EvaluationStatus
from dqa.store import Job

router = APIRouter(prefix="/v1/calibrations", tags=["calibrations"], responses=EVERYWHERE)

_ID = re.compile(r"cal_[0-9a-hjkmnp-tv-z]{26}")
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": CalibrationReport, "description": "The report (with `wait`)"},
    202: {"model": EvaluationStatus, "description": "Queued; `Location` says where it will be"},
    **documented(404, 408, 409, 413, 415, 429),
}


@router.post("/describe", status_code=202, summary="Put a reference into words", responses=_ANSWERS)
async def describe(asked: DescribeRequest, service: ServiceDep, key: KeyHeader = None) -> Response:
    """A paragraph and a value an axis. Keep `canonical_reference`: comparisons are anchored on it."""
    return await _ask(service, asked, "describe", key)


@router.post("/compare", status_code=202, summary="Compare a picture or video with a reference", responses=_ANSWERS)
async def compare(asked: CompareRequest, service: ServiceDep, key: KeyHeader = None) -> Response:
    """Match, partial or mismatch an axis; `overall_score` and `mismatch_count` are computed from them."""
    return await _ask(service, asked, "compare", key)


@router.get(
    "/{calibration_id}",
    summary="The report, or how far it is",
    responses={200: {"model": CalibrationReport | EvaluationStatus}, **documented(404)},
)
def get_calibration(calibration_id: str, service: ServiceDep) -> Response:
    return _current(service, _find(service, calibration_id))


@router.delete(
    "/{calibration_id}",
    summary="Cancel a describe or compare under way, delete one that has ended",
    status_code=204,
    responses=endings("something else"),
)
def delete_calibration(calibration_id: str, service: ServiceDep) -> Response:
    return cancel_or_delete(service, _find(service, calibration_id).id)


async def _ask(service: Service, asked: DescribeRequest | CompareRequest, mode: str, key: str | None) -> Response:
    if service.supervisor.fault is not None:
        return respond(service.supervisor.fault)  # nothing would ever run it
    try:
        job_id = await run_in_threadpool(_queue, service, asked, mode, key)
    except Busy as error:
        return respond(problem_of(error), {"Retry-After": "5"})
    if asked.wait is not False:
        longest = service.limits.longest_wait_s
        await service.changes.ended(job_id, longest if asked.wait is True else min(asked.wait, longest))
    return await run_in_threadpool(_after_post, service, job_id)


def _queue(service: Service, asked: DescribeRequest | CompareRequest, mode: str, key: str | None) -> str:
    known_by = calibration_key(key, mode, asked)
    known = service.store.jobs.recall(known_by)
    if known is not None:
        return known
    return service.store.jobs.add(new_calibration(service, asked), service.settings.queue_size, known_by)[0]


def _find(service: Service, calibration_id: str) -> Job:
    job = service.store.jobs.get(calibration_id) if _ID.fullmatch(calibration_id) else None
    if job is None:
        raise RecordNotFound("there is no calibration with that id", fix="check the id")
    return job


def _current(service: Service, job: Job) -> Response:
    if job.status == "done":
        return JSONResponse(service.store.jobs.report(job.id), headers={"Content-Location": _address(job.id)})
    return JSONResponse({"id": job.id, "status": job.status, **({"error": job.error} if job.error else {})})


def _after_post(service: Service, job_id: str) -> Response:
    """As :func:`_current`, for who asked: 202 while it lasts, and its failure as a problem."""
    job = _find(service, job_id)
    where = {"Location": _address(job.id)}
    if job.status == "failed" and job.error is not None:
        return respond(job.error, where)
    if job.status == "cancelled":
        return respond(problem_of(Cancelled("it was cancelled", fix="ask again if you need it")), where)
    return (
        _current(service, job)
        if job.status == "done"
        else JSONResponse({"id": job.id, "status": job.status}, 202, where)
    )


def _address(job_id: str) -> str:
    return f"/v1/calibrations/{job_id}"

"""How an evaluation stands, as a response."""

from __future__ import annotations

import re

from starlette.responses import JSONResponse, Response

from dqa.errors import Cancelled, RecordNotFound
from dqa.service.context import Service
from dqa.service.problems import problem_of, respond
from dqa.store import Job

_EVALUATION_ID = re.compile(r"ev_[0-9a-hjkmnp-tv-z]{26}")


def address(evaluation_id: str) -> str:
    """Where an evaluation is found."""
    return f"/v1/evaluations/{evaluation_id}"


def current(service: Service, evaluation_id: str) -> Response:
    """The record, or how the job stands; raises ``RecordNotFound``."""
    job = find_job(service, evaluation_id)
    if job is None or job.status == "done":
        return record(service, evaluation_id)
    body = {"id": job.id, "status": job.status, **({"error": job.error} if job.error else {})}
    return JSONResponse(body)


def after_post(service: Service, evaluation_id: str) -> Response:
    """As :func:`current`, for who asked for the evaluation: 202 while it lasts, and its failure as a problem."""
    job = find_job(service, evaluation_id)
    if job is None or job.status == "done":
        return record(service, evaluation_id)
    where = {"Location": address(job.id)}
    if job.status == "failed" and job.error is not None:
        return respond({**job.error, "evaluation": job.id}, where)
    if job.status == "cancelled":
        error = Cancelled("the evaluation was cancelled", fix="ask again if you need it")
        return respond({**problem_of(error), "evaluation": job.id}, where)
    return JSONResponse({"id": job.id, "status": job.status}, 202, headers=where)


def record(service: Service, evaluation_id: str) -> Response:
    """The record as it was written; raises ``RecordNotFound``."""
    check_id(evaluation_id)
    text = service.store.get_record_json(evaluation_id)
    return Response(text, media_type="application/json", headers={"Content-Location": address(evaluation_id)})


def find_job(service: Service, evaluation_id: str) -> Job | None:
    """The evaluation's job, if the service was asked for it; raises ``RecordNotFound`` for what is no id."""
    check_id(evaluation_id)
    return service.store.jobs.get(evaluation_id)


def check_id(evaluation_id: str) -> None:
    """Raises ``RecordNotFound`` for what can't be an id: it never reaches the database."""
    if not _EVALUATION_ID.fullmatch(evaluation_id):
        raise RecordNotFound("there is no evaluation with that id", fix="check the id")

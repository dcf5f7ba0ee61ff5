"""``/v1/evaluations``: ask for a verdict, follow it, fetch it, cancel or delete it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Header, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse

from dqa.errors import Busy
from dqa.record import EvaluationRecord
from dqa.service import answers
from dqa.service.context import KeyHeader, Service, ServiceDep
from dqa.service.ending import cancel_or_delete, endings
from dqa.service.listing import MOST_IN, ListQuery, SummaryPage
from dqa.service.problems import EVERYWHERE, InvalidRequest, documented, problem_of, respond
from dqa.service.requests import idempotency_key, new_job
from dqa.service.schemas import EvaluationPage, EvaluationRequest, EvaluationStatus
from dqa.service.streams import done_stream, job_stream
from dqa.store.summaries import Wanted

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"], responses=EVERYWHERE)


@router.post(
    "",
    status_code=202,
    summary="Evaluate a clip against its prompt",
    responses={
        200: {"model": EvaluationRecord, "description": "The record (with `wait`)"},
        202: {"model": EvaluationStatus, "description": "Queued; `Location` says where it will be"},
        **documented(404, 408, 409, 413, 415, 429),
    },
)
async def evaluate(asked: EvaluationRequest, service: ServiceDep, key: KeyHeader = None) -> Response:
    if service.supervisor.fault is not None:
        return respond(service.supervisor.fault)  # nothing would ever run it
    try:
        evaluation_id = await run_in_threadpool(_queue, service, asked, key)
    except Busy as error:
        seconds = await run_in_threadpool(_retry_after, service)
        return respond(problem_of(error), {"Retry-After": str(seconds)})
    if asked.wait is not False:
        longest = service.limits.longest_wait_s
        await service.changes.ended(evaluation_id, longest if asked.wait is True else min(asked.wait, longest))
    return await run_in_threadpool(answers.after_post, service, evaluation_id)


def _queue(service: Service, asked: EvaluationRequest, key: str | None) -> str:
    known_by = idempotency_key(key, asked)
    # Looked up first: what was asked before is answered, even if the media has gone since.
    known = service.store.jobs.recall(known_by)
    if known is not None:
        return known
    return service.store.jobs.add(new_job(service, asked), service.settings.queue_size, known_by)[0]


def _retry_after(service: Service) -> int:
    """Seconds until a place in the queue is likely to be free: one job's time over the workers there are."""
    each = service.store.jobs.mean_seconds() or 5.0
    return max(1, min(120, math.ceil(each / service.settings.workers)))


@router.get(
    "",
    summary="List records, or short summaries of them, newest first",
    responses={200: {"model": EvaluationPage | SummaryPage}},
)
def list_evaluations(service: ServiceDep, asked: Annotated[ListQuery, Query()]) -> Response:
    most = MOST_IN[asked.view]
    if asked.limit > most:
        raise InvalidRequest(f"query.limit: at most {most} with view={asked.view}", fix="follow `next` for more")
    wanted = Wanted(asked.user, asked.profile, asked.grade, asked.action, asked.q, asked.cursor)
    if asked.view == "summary":
        return _summaries(service, asked.limit, wanted)
    found = service.store.list_records_json(asked.limit + 1, wanted)
    page = found[: asked.limit]
    following = json.loads(page[-1])["id"] if len(found) > asked.limit else None
    body = f'{{"items":[{",".join(page)}],"next":{json.dumps(following)}}}'
    return Response(body, media_type="application/json")


def _summaries(service: Service, limit: int, wanted: Wanted) -> Response:
    found = service.store.list_summaries(limit + 1, wanted)
    page = found[:limit]
    total = service.store.count_records(replace(wanted, before=None))
    return JSONResponse({"items": page, "next": page[-1]["id"] if len(found) > limit else None, "total": total})


@router.get(
    "/{evaluation_id}",
    summary="The record, or how far it is",
    responses={200: {"model": EvaluationRecord | EvaluationStatus}, **documented(404)},
)
def get_evaluation(evaluation_id: str, service: ServiceDep) -> Response:
    return answers.current(service, evaluation_id)


@router.get(
    "/{evaluation_id}/events",
    summary="What happens to an evaluation, as server-sent events",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
            "description": "progress, then the end",
        },
        **documented(404),
    },
)
async def follow(
    evaluation_id: str,
    service: ServiceDep,
    last_seen: Annotated[str | None, Header(alias="Last-Event-ID", max_length=20, pattern=r"^\d*$")] = None,
) -> Response:
    job = await run_in_threadpool(answers.find_job, service, evaluation_id)
    if job is None:
        await run_in_threadpool(answers.record, service, evaluation_id)
        stream = done_stream(evaluation_id)
    else:
        stream = job_stream(service, evaluation_id, min(int(last_seen or 0), 2**62))
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@router.delete(
    "/{evaluation_id}",
    summary="Cancel an evaluation under way, delete one that has ended",
    status_code=204,
    responses=endings("another evaluation"),
)
def delete_evaluation(evaluation_id: str, service: ServiceDep) -> Response:
    answers.check_id(evaluation_id)
    return cancel_or_delete(service, evaluation_id)

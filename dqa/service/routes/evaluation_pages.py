"""``/evaluations`` and ``/evaluations/{id}``: the verdicts as a list, and each as a page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from dqa.errors import DQAError, RecordNotFound
from dqa.record import EvaluationRecord
from dqa.report import words
from dqa.report.curves import HEIGHT, WIDTH, curves
from dqa.service import answers
from dqa.service.context import Service, ServiceDep
from dqa.service.found import find_media
from dqa.service.web import Viewer, ViewerDep, page, stills, verdict
from dqa.service.web.listing import Filters, listing

router = APIRouter(include_in_schema=False)

_SECTION = "evaluations"


@router.get("/evaluations")
def evaluations(viewer: ViewerDep, service: ServiceDep, asked: Annotated[Filters, Query()]) -> Response:
    return page("evaluations.html", viewer, section=_SECTION, **listing(service.store, asked))


@router.get("/evaluations/{evaluation_id}")
async def evaluation(evaluation_id: str, viewer: ViewerDep, service: ServiceDep) -> Response:
    return await run_in_threadpool(_page, service, viewer, evaluation_id)


def _page(service: Service, viewer: Viewer, evaluation_id: str) -> Response:
    try:
        job = answers.find_job(service, evaluation_id)
        if job is None or job.status == "done":
            return _verdict(service, viewer, service.store.get_record(evaluation_id))
    except RecordNotFound as error:
        return page("nothing.html", viewer, section=_SECTION, status=404, why=error.public())
    detail = (job.error or {}).get("detail", "")
    return page("pending.html", viewer, section=_SECTION, id=evaluation_id, status_now=job.status, detail=str(detail))


def _verdict(service: Service, viewer: Viewer, record: EvaluationRecord) -> Response:
    return page(
        "evaluation.html",
        viewer,
        section=_SECTION,
        record=record,
        unseen=_unseen(service, record.id),
        main=stills.representative(record),
        figures=stills.figures(record),
        strip=stills.strip(record),
        frame_of=stills.frame_of,
        said=verdict.in_a_word(record),
        shares=verdict.shares(record),
        curves=curves(record),
        plot=(WIDTH, HEIGHT),
        words=words,
        scale=words.scale(),
        profile=words.profile_words(record.profile),
    )


def _unseen(service: Service, evaluation_id: str) -> str:
    """Why the clip can't be shown; empty when it can."""
    try:
        find_media(service, evaluation_id)
    except DQAError as error:
        return error.public()
    return ""

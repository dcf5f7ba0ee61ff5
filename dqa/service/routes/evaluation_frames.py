"""``/v1/evaluations/{id}/frames``: the frames of the clip that an evaluation judged."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from dqa.service.context import Service, ServiceDep
from dqa.service.found import find_media
from dqa.service.frames import JPEG, MaxSide, SeenTag, Which, frame_response
from dqa.service.problems import EVERYWHERE, documented

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"], responses=EVERYWHERE)


@router.get(
    "/{evaluation_id}/frames/representative.jpg",
    summary="The frame that shows the judged clip best",
    response_class=Response,
    responses={**JPEG, **documented(404, 413, 415)},
)
async def representative(
    evaluation_id: str, service: ServiceDep, request: Request, max_side: MaxSide = None, seen: SeenTag = None
) -> Response:
    return await _frame(service, request, evaluation_id, "representative", max_side, seen)


@router.get(
    "/{evaluation_id}/frames/{n}.jpg",
    summary="Frame n of the judged clip, counted from 0 in display order",
    response_class=Response,
    responses={**JPEG, **documented(404, 413, 415)},
)
async def frame(
    evaluation_id: str,
    n: Annotated[int, Path(ge=0, le=10_000_000)],
    service: ServiceDep,
    request: Request,
    max_side: MaxSide = None,
    seen: SeenTag = None,
) -> Response:
    return await _frame(service, request, evaluation_id, n, max_side, seen)


async def _frame(
    service: Service, request: Request, evaluation_id: str, which: Which, max_side: int | None, seen: str | None
) -> Response:
    media = await run_in_threadpool(find_media, service, evaluation_id)
    return await frame_response(service, request, (media.path, media.sha256), which, max_side, seen)

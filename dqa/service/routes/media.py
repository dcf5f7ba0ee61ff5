"""``/v1/media``: uploads, and the frame server."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from dqa.errors import MediaNotFound
from dqa.service.context import KeyHeader, Service, ServiceDep
from dqa.service.frames import JPEG, MaxSide, SeenTag, Which, frame_response
from dqa.service.problems import EVERYWHERE, documented
from dqa.service.schemas import MediaUploaded
from dqa.service.uploads import Upload, receive_upload
from dqa.store import StoredMedia
from dqa.store.keys import IdempotencyKey

router = APIRouter(prefix="/v1/media", tags=["media"], responses=EVERYWHERE)

_MEDIA_ID = re.compile(r"md_[0-9a-hjkmnp-tv-z]{26}")
_BINARY = {"type": "string", "format": "binary"}
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {"type": "object", "required": ["file"], "properties": {"file": _BINARY}},
        },
        "application/octet-stream": {"schema": _BINARY},
    },
}


@router.post(
    "",
    status_code=201,
    summary="Upload a clip or image",
    openapi_extra={"requestBody": _BODY},
    responses={
        200: {"model": MediaUploaded, "description": "This content was here already"},
        201: {"model": MediaUploaded, "description": "Kept"},
        **documented(408, 409, 413, 415),
    },
)
async def upload(request: Request, service: ServiceDep, key: KeyHeader = None) -> Response:
    most = int(service.settings.max_media_mb * 1e6)
    async with receive_upload(request, service.store.media, service.limits, most) as received:
        media, new = await run_in_threadpool(_keep, service, received, key)
    body = MediaUploaded(media_id=media.id, sha256=media.sha256, bytes=media.bytes, name=media.name)
    return JSONResponse(body.model_dump(), 201 if new else 200)


def _keep(service: Service, received: Upload, key: str | None) -> tuple[StoredMedia, bool]:
    known_by = IdempotencyKey(key, "media", received.sha256) if key else None
    return service.store.media.add(received.part, received.sha256, received.suffix, received.name, known_by)


@router.get(
    "/{media_id}/frames/representative.jpg",
    summary="The frame that shows the clip best",
    response_class=Response,
    responses={**JPEG, **documented(404, 413, 415)},
)
async def representative(
    media_id: str, service: ServiceDep, request: Request, max_side: MaxSide = None, seen: SeenTag = None
) -> Response:
    return await _frame(service, request, media_id, "representative", max_side, seen)


@router.get(
    "/{media_id}/frames/{n}.jpg",
    summary="Frame n, counted from 0 in display order",
    response_class=Response,
    responses={**JPEG, **documented(404, 413, 415)},
)
async def frame(
    media_id: str,
    n: Annotated[int, Path(ge=0, le=10_000_000)],
    service: ServiceDep,
    request: Request,
    max_side: MaxSide = None,
    seen: SeenTag = None,
) -> Response:
    return await _frame(service, request, media_id, n, max_side, seen)


async def _frame(
    service: Service, request: Request, media_id: str, which: Which, max_side: int | None, seen: str | None
) -> Response:
    media = await run_in_threadpool(_find, service, media_id)
    return await frame_response(service, request, (media.path, media.sha256), which, max_side, seen)


def _find(service: Service, media_id: str) -> StoredMedia:
    if not _MEDIA_ID.fullmatch(media_id):
        raise MediaNotFound("there is no media with that id", fix="upload it with POST /v1/media")
    return service.store.media.get(media_id)

"""``/v1/media``: uploads, and the frame server."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from dqa.clip.frameserver import frame_jpeg
from dqa.clip.limits import Limits
from dqa.errors import MediaNotFound
from dqa.service.context import KeyHeader, Service, ServiceDep
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
_JPEG = {200: {"content": {"image/jpeg": {"schema": _BINARY}}, "description": "The frame"}}
MaxSide = Annotated[int | None, Query(ge=16, le=8192, description="scale down to this many pixels on the longer side")]
SeenTag = Annotated[str | None, Header(alias="If-None-Match", max_length=1000)]


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
    responses={**_JPEG, 304: {"description": "As you have it"}, **documented(404, 413, 415)},
)
async def representative(
    media_id: str, service: ServiceDep, max_side: MaxSide = None, seen: SeenTag = None
) -> Response:
    return await _frame(service, media_id, "representative", max_side, seen)


@router.get(
    "/{media_id}/frames/{n}.jpg",
    summary="Frame n, counted from 0 in display order",
    response_class=Response,
    responses={**_JPEG, 304: {"description": "As you have it"}, **documented(404, 413, 415)},
)
async def frame(
    media_id: str,
    n: Annotated[int, Path(ge=0, le=10_000_000)],
    service: ServiceDep,
    max_side: MaxSide = None,
    seen: SeenTag = None,
) -> Response:
    return await _frame(service, media_id, n, max_side, seen)


async def _frame(
    service: Service, media_id: str, which: int | Literal["representative"], max_side: int | None, seen: str | None
) -> Response:
    media = await run_in_threadpool(_find, service, media_id)
    tag = hashlib.sha256(f"{media.sha256} {which} {max_side}".encode()).hexdigest()[:32]
    # An id's content never changes, so neither does its frame: a browser need not ask twice.
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, max-age=31536000, immutable"}
    if seen is not None and f'"{tag}"' in seen:
        return Response(status_code=304, headers=headers)
    decode = partial(frame_jpeg, media.path, which, Limits.from_settings(service.settings), max_side=max_side)
    return Response(await run_sync(decode, limiter=service.frame_slots), media_type="image/jpeg", headers=headers)


def _find(service: Service, media_id: str) -> StoredMedia:
    if not _MEDIA_ID.fullmatch(media_id):
        raise MediaNotFound("there is no media with that id", fix="upload it with POST /v1/media")
    return service.store.media.get(media_id)

"""``/v1/evaluations/{id}/media``: the clip that an evaluation judged, for a player."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header
from starlette.responses import Response

from dqa.clip.container import Container, sniff_bytes
from dqa.clip.guard import open_regular
from dqa.service.context import Service, ServiceDep
from dqa.service.filebytes import FileBytes
from dqa.service.found import find_media
from dqa.service.problems import EVERYWHERE, documented, problem_of, respond
from dqa.service.ranges import RangeRefused, parse_range

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"], responses=EVERYWHERE)

_HEAD_BYTES = 4096
_TYPES = {
    Container.MP4: "video/mp4",
    Container.MOV: "video/quicktime",
    Container.WEBM: "video/webm",
    Container.GIF: "image/gif",
    Container.WEBP: "image/webp",
    Container.PNG: "image/png",
    Container.JPG: "image/jpeg",
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_CONTENT = {media_type: _BINARY for media_type in _TYPES.values()}


@dataclass(frozen=True, slots=True)
class _Opened:
    """An open file, its length in bytes, what it is by its bytes, and its hash."""

    descriptor: int
    size: int
    media_type: str
    sha256: str


@router.get(
    "/{evaluation_id}/media",
    summary="The clip that was judged, whole or one range of it",
    response_class=Response,
    responses={
        200: {"content": _CONTENT, "description": "The file"},
        206: {"content": _CONTENT, "description": "The range asked for"},
        304: {"description": "As you have it"},
        **documented(404, 415, 416),
    },
)
async def media(
    evaluation_id: str,
    service: ServiceDep,
    asked: Annotated[str | None, Header(alias="Range", description="one range of bytes")] = None,
    if_range: Annotated[str | None, Header(alias="If-Range", max_length=200)] = None,
    seen: Annotated[str | None, Header(alias="If-None-Match", max_length=1000)] = None,
) -> Response:
    # A file is read whole once, to see that it is still the one that was judged: as few at a time as decodes.
    opened = await run_sync(partial(_open, service, evaluation_id), limiter=service.frame_slots)
    tag = f'"{opened.sha256}"'
    headers = {"ETag": tag, "Accept-Ranges": "bytes", "Cache-Control": "private, max-age=600"}
    if seen is not None and tag in seen:
        os.close(opened.descriptor)
        return Response(status_code=304, headers=headers)
    return _answer(opened, asked if if_range in (None, tag) else None, headers)


def _answer(opened: _Opened, asked: str | None, headers: dict[str, str]) -> Response:
    try:
        part = parse_range(asked, opened.size)
    except RangeRefused as error:
        os.close(opened.descriptor)
        return respond(problem_of(error), {"Content-Range": f"bytes */{opened.size}"})
    if part is None:
        return FileBytes(opened.descriptor, range(opened.size), headers, 200, opened.media_type)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{opened.size}"
    return FileBytes(opened.descriptor, part, headers, 206, opened.media_type)


def _open(service: Service, evaluation_id: str) -> _Opened:
    found = find_media(service, evaluation_id)
    descriptor = open_regular(found.path)
    try:
        # Of the open file itself: whatever was put in its place since, only media leaves here.
        container = sniff_bytes(os.pread(descriptor, _HEAD_BYTES, 0))
        size = os.fstat(descriptor).st_size
    except BaseException:
        os.close(descriptor)
        raise
    return _Opened(descriptor, size, _TYPES[container], found.sha256)

"""One frame of a clip as a response: decoded at most a few at a time, once per browser, and for nobody who has left."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import Header, Query, Request
from starlette.responses import Response

from dqa.clip.frameserver import frame_jpeg
from dqa.clip.limits import Limits
from dqa.service.context import Service

MaxSide = Annotated[int | None, Query(ge=16, le=8192, description="scale down to this many pixels on the longer side")]
SeenTag = Annotated[str | None, Header(alias="If-None-Match", max_length=1000)]
Which = int | Literal["representative"]

JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}, "description": "The frame"},
    304: {"description": "As you have it"},
}
"""What a route that serves a frame answers."""


def tag_of(sha256: str, which: Which, max_side: int | None) -> str:
    """The frame's ETag, without quotes."""
    return hashlib.sha256(f"{sha256} {which} {max_side}".encode()).hexdigest()[:32]


async def frame_response(
    service: Service,
    request: Request,
    clip: tuple[Path, str],
    which: Which,
    max_side: int | None,
    seen: str | None,
) -> Response:
    """The frame as JPEG, or 304 when ``seen`` names it.

    Args:
        service: whose limits and slots hold.
        request: given up when its client has left before a slot was free.
        clip: its file and the SHA-256 of its content.
        which: the frame's index, or ``representative``.
        max_side: longest side in pixels.
        seen: the header If-None-Match.

    Raises:
        InputError: as :func:`dqa.clip.frameserver.frame_jpeg`.
    """
    path, sha256 = clip
    tag = tag_of(sha256, which, max_side)
    # The same content has the same frames for ever: a browser need not ask twice.
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, max-age=31536000, immutable"}
    if seen is not None and f'"{tag}"' in seen:
        return Response(status_code=304, headers=headers)
    decode = partial(frame_jpeg, path, which, Limits.from_settings(service.settings), max_side=max_side)
    async with service.frame_slots:
        if await request.is_disconnected():  # whoever scrolls through a long list leaves many behind
            return Response(status_code=499)
        picture = await run_sync(decode)
    return Response(picture, media_type="image/jpeg", headers=headers)

"""``/assets/{name}``: the stylesheet, scripts and pictures of the pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import Response

from dqa.service.problems import NoSuchRoute
from dqa.service.web import find_asset

router = APIRouter(include_in_schema=False)


@router.get("/assets/{name}")
async def asset(
    name: str, seen: Annotated[str | None, Header(alias="If-None-Match", max_length=1000)] = None
) -> Response:
    found = find_asset(name)
    if found is None:
        raise NoSuchRoute("there is nothing at this address", fix="see /docs")
    # Asked again each time, answered in a few bytes: after an upgrade no page runs half of the old scripts.
    headers = {"ETag": found.tag, "Cache-Control": "no-cache"}
    if seen is not None and found.tag in seen:
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type=found.media_type, headers=headers)

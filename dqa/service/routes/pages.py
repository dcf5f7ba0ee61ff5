"""``/`` and ``/choose``: the pages where choices are made."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from dqa.service.web import ViewerDep, page

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home() -> Response:
    return RedirectResponse("/choose", 303)


@router.get("/choose")
async def choose(viewer: ViewerDep) -> Response:
    return page("choose.html", viewer, section="choose")

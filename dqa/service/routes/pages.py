"""``/`` and ``/choose``: the page where choices are made."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from dqa.service.web import ViewerDep, page

router = APIRouter(include_in_schema=False)

REASONS = (
    "motion",
    "sharpness",
    "prompt match",
    "faces and anatomy",
    "colours",
    "style",
    "flicker",
    "composition",
)
"""What may be ticked as the reason of a choice; each is a ``why`` of ``POST /v1/selections``."""

_KEYS = (
    (("A",), "A is better"),
    (("B",), "B is better"),
    (("T",), "Tie: neither is better"),
    (("S",), "Skip this pair"),
    (("N", "Enter"), "Next pair, after a choice"),
    (("Space",), "Play or pause"),
    (("←", "→"), "One frame back or forward, on both"),
    (("Home", "End"), "First or last frame"),
    (("1", "2", "4"), "Normal, half, quarter speed"),
    (("L",), "Loop on or off"),
    (("W",), "Wipe: one over the other; the arrows move the divider when it has the focus"),
    (("Z",), "Actual size; Shift and the arrows move what is seen"),
    (("?",), "This list"),
)


@router.get("/")
async def home(request: Request) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/choose{query}", 303)


@router.get("/choose")
async def choose(viewer: ViewerDep) -> Response:
    return page("choose.html", viewer, section="choose", reasons=REASONS, keys=_KEYS)

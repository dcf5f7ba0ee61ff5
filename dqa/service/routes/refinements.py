"""``/v1/refinements``: briefs taken from prompt to verdict until a clip was good enough, counted over time."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from dqa.errors import RecordNotFound
from dqa.refine.record import Refinement
from dqa.service.context import KeyHeader, Service, ServiceDep
from dqa.service.keyed import keyed
from dqa.service.problems import EVERYWHERE, documented
from dqa.service.refinement_schemas import RefinementPage, RefinementRequest
from dqa.service.refinements import new_refinement
from dqa.store.refinement_figures import Figures

router = APIRouter(prefix="/v1/refinements", tags=["refinements"], responses=EVERYWHERE)

_ID = r"^rf_[0-9a-hjkmnp-tv-z]{26}$"
_User = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]


@router.post(
    "",
    status_code=201,
    summary="Record a run that has ended",
    responses={
        200: {"model": Refinement, "description": "It was recorded before"},
        201: {"model": Refinement, "description": "Recorded"},
        **documented(404, 408, 409, 413, 415),
    },
)
def record(asked: RefinementRequest, service: ServiceDep, key: KeyHeader = None) -> Response:
    """Grades, scores and advice are read from the evaluations named, which must be there and this user's own."""
    known_by = keyed(key, "refinements", asked, asked.user or service.settings.user)
    known = service.store.refinements.recall(known_by)
    if known is None:
        made = new_refinement(service, asked).model_dump(mode="json")
        if service.store.refinements.save(made, known_by):
            return JSONResponse(made, 201, headers={"Location": f"/v1/refinements/{made['id']}"})
        known = service.store.refinements.recall(known_by)  # a request with the same key was quicker
    return JSONResponse(_find(service, known or ""))


@router.get("", summary="List runs, newest first", response_model=RefinementPage)
def list_refinements(
    service: ServiceDep,
    user: _User = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(pattern=_ID, description="`next` of the page before")] = None,
) -> Response:
    found = service.store.refinements.listed(user or service.settings.user, limit + 1, cursor)
    page = found[:limit]
    return JSONResponse({"items": page, "next": page[-1]["id"] if len(found) > limit else None})


@router.get("/figures", summary="Accepted share and cycles per accepted clip, over time", response_model=Figures)
def figures(
    service: ServiceDep,
    user: _User = None,
    window: Annotated[int, Query(ge=1, le=1000, description="runs to a window")] = 10,
) -> Figures:
    """Each with its count and a 90 % interval. Runs that failed by a fault are counted and in no share."""
    return service.store.refinements.figures(user or service.settings.user, window)


@router.get("/{refinement_id}", summary="One run", response_model=Refinement, responses=documented(404))
def get_refinement(refinement_id: str, service: ServiceDep) -> Response:
    return JSONResponse(_find(service, refinement_id))


def _find(service: Service, refinement_id: str) -> object:
    if re.fullmatch(_ID, refinement_id) is None:
        raise RecordNotFound("there is no refinement with that id", fix="check the id")
    return service.store.refinements.get(refinement_id)

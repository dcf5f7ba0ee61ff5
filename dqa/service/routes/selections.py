"""``/v1/selections``: choices between two evaluations."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from dqa.service.context import KeyHeader, Service, ServiceDep
from dqa.service.keyed import keyed
from dqa.service.problems import EVERYWHERE, documented, problem_of, respond
from dqa.service.schemas import SelectionAnswer, SelectionKept, SelectionPage, SelectionRequest
from dqa.store.selections import Selection, TooManyChoices

router = APIRouter(prefix="/v1/selections", tags=["choices"], responses=EVERYWHERE)


@router.post(
    "",
    status_code=201,
    summary="Record a choice",
    response_model=SelectionAnswer,
    responses={
        200: {"model": SelectionAnswer, "description": "It was recorded before"},
        **documented(408, 409, 413, 415, 429),
    },
)
def select(asked: SelectionRequest, service: ServiceDep, key: KeyHeader = None) -> Response:
    """The ``test_id`` makes it idempotent: the same choice again is answered with the first one. A choice between clips
    that have no evaluation here (yet) is kept, and ``note`` says so."""
    user = asked.user or service.settings.user
    selection = Selection(
        user, asked.test_id, asked.a, asked.b, asked.chosen, left=asked.left, why=tuple(dict.fromkeys(asked.why))
    )
    try:
        kept, new = service.store.selections.add(
            selection, keyed(key, "selections", asked, user), service.limits.choices_per_minute
        )
    except TooManyChoices as error:
        return respond(problem_of(error), {"Retry-After": str(error.retry_after_s)})
    note = _note(service, kept)
    answer = SelectionAnswer(**_body(kept).model_dump(), resolved=note is None, note=note)
    return JSONResponse(answer.model_dump(), 201 if new else 200)


@router.get("", summary="List choices in the order they came", response_model=SelectionPage)
def list_selections(
    service: ServiceDep,
    user: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[int, Query(ge=0, le=2**53, description="`next` of the page before")] = 0,
) -> SelectionPage:
    found = service.store.selections.page(user, limit + 1, after)
    page = found[:limit]
    return SelectionPage(items=[_body(s) for s in page], next=page[-1].seq if len(found) > limit else None)


def _body(selection: Selection) -> SelectionKept:
    names = ("test_id", "user", "a", "b", "chosen", "source", "created", "seq", "left")
    return SelectionKept.model_validate(
        {**{name: getattr(selection, name) for name in names}, "why": list(selection.why)}
    )


def _note(service: Service, kept: Selection) -> str | None:
    """Why nothing can be learned from a choice as things stand; None where it can."""
    profiles = service.store.profiles_of((kept.a, kept.b))
    unknown = [side for side in ("a", "b") if getattr(kept, side) not in profiles]
    if unknown:
        which = " and ".join(unknown)
        return f"there is no evaluation here with the id in {which}; the choice counts once there is"
    if profiles[kept.a] != profiles[kept.b]:
        return "the clips were judged by different profiles, which are never compared; the choice is not learned from"
    return None

"""``/v1/users/{user}``: everything kept of one user, given out or deleted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from dqa.service.context import ServiceDep
from dqa.service.lineage import is_gone
from dqa.service.problems import EVERYWHERE, documented

router = APIRouter(prefix="/v1/users", tags=["users"], responses={**EVERYWHERE, **documented(404)})

UserPath = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class UserRemoved(BaseModel):
    """What a deletion took away."""

    user: str
    removed: dict[str, int] = Field(description="deleted rows by table; every table that can hold something is named")
    files: list[str] = Field(description="deleted files, relative to the state folder")
    scrubbed: bool = Field(
        description="the deleted text is out of the database's files too; if not, the service does it within the hour"
    )


@router.get(
    "/{user:path}/export",
    summary="Everything kept of a user, as one JSON document",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}, "description": "The document"}},
)
def export_user(user: UserPath, service: ServiceDep) -> Response:
    """Evaluations, jobs, choices, tuner steps with their tastes, style, trainings, and adapters and uploads by name
    and SHA-256. Of a user nothing is kept of, the lists are empty."""
    headers = {"Content-Disposition": 'attachment; filename="dqa-user.json"'}
    return StreamingResponse(service.store.users.export_json(user), media_type="application/json", headers=headers)


@router.delete(
    "/{user:path}",
    summary="Delete everything kept of a user",
    response_model=UserRemoved,
    responses=documented(409),
)
def delete_user(user: UserPath, service: ServiceDep) -> UserRemoved:
    """Rows, adapters, and uploads that nobody else needs. Repeated, it finds nothing: all counts are 0. While an
    evaluation or training of the user is under way it is refused; cancel that first."""
    removed = service.store.users.delete(user, is_gone)
    return UserRemoved(user=user, removed=removed.counts, files=list(removed.files), scrubbed=removed.scrubbed)

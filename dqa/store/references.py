"""Uploads that a calibration names beside the one it judges: the picture that is compared with.

``jobs.media_id`` holds one upload a job; the other one of a comparison stands in its request only.
"""

from __future__ import annotations

import json
from typing import Any, cast

import sqlalchemy as sa

from dqa.store.tables import jobs

# Calibrations by their ids, so that the index is used: the character after "_" ends the range.
_CALIBRATIONS = (jobs.c.id >= "cal_", jobs.c.id < "cal`")


def uploads_of(connection: sa.Connection, user: str) -> set[str]:
    """Ids of the uploads that a user's calibrations compare with."""
    query = sa.select(jobs.c.request).where(jobs.c.user == user, *_CALIBRATIONS)
    named = (_upload(json.loads(request)) for request in connection.scalars(query))
    return {media_id for media_id in named if media_id is not None}


def is_needed(connection: sa.Connection, media_id: str) -> bool:
    """Whether a calibration, of whichever user, compares with that upload."""
    # Text that a client sent can't look so: its quotes are escaped in the request's JSON.
    told = jobs.c.request.contains(f'"media": "{media_id}"', autoescape=True)
    return connection.scalar(sa.select(jobs.c.id).where(*_CALIBRATIONS, told).limit(1)) is not None


def _upload(request: dict[str, Any]) -> str | None:
    """The id of the upload that a request names as its reference; None for words, and for a file's path."""
    reference = request.get("reference")
    named = cast("dict[str, Any]", reference).get("media") if isinstance(reference, dict) else None
    return named if isinstance(named, str) and named.startswith("md_") else None

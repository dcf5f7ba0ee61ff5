"""Uploads that a calibration names beside the one it judges: the picture that is compared with.

``jobs.media_id`` holds one upload a job; the other one of a comparison stands in its request only.
"""

from __future__ import annotations

import json
from typing import Any, cast

import sqlalchemy as sa

from dqa.store.tables import jobs, media

# Calibrations by their ids, so that the index is used: the character after "_" ends the range.
_CALIBRATIONS = (jobs.c.id >= "cal_", jobs.c.id < "cal`")


def uploads_of(connection: sa.Connection, user: str) -> set[str]:
    """Ids of the uploads that a user's calibrations compare with."""
    query = sa.select(jobs.c.request).where(jobs.c.user == user, *_CALIBRATIONS)
    named = (named_in(json.loads(request)) for request in connection.scalars(query))
    return {name for name in named if name is not None and name.startswith("md_")}


def is_needed(connection: sa.Connection, media_id: str) -> bool:
    """Whether a calibration, of whichever user, compares with that upload."""
    # Text that a client sent can't look so: its quotes are escaped in the request's JSON.
    told = jobs.c.request.contains(f'"media": "{media_id}"', autoescape=True)
    return connection.scalar(sa.select(jobs.c.id).where(*_CALIBRATIONS, told).limit(1)) is not None


def named_in(request: dict[str, Any]) -> str | None:
    """What a client named as the reference: an upload's id, or a file; None where it is words."""
    reference = request.get("reference")
    named = cast("dict[str, Any]", reference).get("media") if isinstance(reference, dict) else None
    return named if isinstance(named, str) else None


def hash_in(connection: sa.Connection, request: str) -> str | None:
    """SHA-256 of the upload that a job's request names as its reference, if it does and that is kept."""
    named = named_in(json.loads(request))
    return None if named is None else connection.scalar(sa.select(media.c.sha256).where(media.c.id == named))

"""Lists of evaluations: what may be asked for, and what a summary holds."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from dqa.record import Action, Grade

MOST_IN = {"record": 100, "summary": 1000}
"""Most items of one page: records are tens of kilobytes each, summaries a few hundred bytes."""

_TEXT = r"^[^\x00]*$"


class ListQuery(BaseModel):
    """The query of a list of evaluations."""

    model_config = ConfigDict(frozen=True)

    view: Literal["record", "summary"] = Field("record", description="whole records, or what a list shows of them")
    user: str | None = Field(None, max_length=200, pattern=_TEXT)
    profile: str | None = Field(None, max_length=64, pattern=_TEXT)
    grade: Grade | None = None
    action: Action | None = None
    q: str | None = Field(None, max_length=200, pattern=_TEXT, description="text that the prompt holds, in any case")
    limit: int = Field(20, ge=1, le=1000, description="at most 100 with view=record")
    cursor: str | None = Field(None, pattern=r"^ev_[0-9a-hjkmnp-tv-z]{26}$", description="`next` of the page before")


class Summary(BaseModel):
    """What a list shows of an evaluation. ``prompt`` is its first 300 characters."""

    id: str
    created: str
    user: str
    profile: str
    prompt: str
    grade: Grade | None
    final: float | None
    action: Action
    kind: Literal["video", "image"]
    duration_s: float


class SummaryPage(BaseModel):
    """Summaries, newest first; ``next`` is the cursor of the following page, ``total`` counts all that match."""

    items: list[Summary]
    next: str | None
    total: int

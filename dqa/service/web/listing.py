"""The list of evaluations as its page first shows it; the page's script then asks for more as one scrolls."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from dqa.record import Action, Grade
from dqa.report import words
from dqa.store import Store
from dqa.store.summaries import Wanted

_FIRST = 50
_TEXT = r"^[^\x00]*$"


class Filters(BaseModel):
    """The filters in the page's address. An empty one is none, as a form sends it.

    ``of`` and ``by`` are the user and the profile of the evaluations; who looks at the page is another matter.
    """

    model_config = ConfigDict(frozen=True)

    grade: Grade | None = None
    action: Action | None = None
    of: str | None = Field(None, max_length=200, pattern=_TEXT)
    by: str | None = Field(None, max_length=64, pattern=_TEXT)
    q: str | None = Field(None, max_length=200, pattern=_TEXT)
    cursor: str | None = Field(None, pattern=r"^ev_[0-9a-hjkmnp-tv-z]{26}$")

    @field_validator("*", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return None if value == "" else value

    @property
    def given(self) -> dict[str, str]:
        """The filters that are set, for links; the cursor is none."""
        return {k: v for k, v in self.model_dump(exclude_none=True).items() if k != "cursor"}


def listing(store: Store, filters: Filters) -> dict[str, Any]:
    """What ``evaluations.html`` shows."""
    wanted = Wanted(filters.of, filters.by, filters.grade, filters.action, filters.q, filters.cursor)
    found = store.list_summaries(_FIRST + 1, wanted)
    return {
        "filters": filters,
        "rows": found[:_FIRST],
        "older": {**filters.given, "cursor": found[_FIRST - 1]["id"]} if len(found) > _FIRST else None,
        "total": store.count_records(Wanted(filters.of, filters.by, filters.grade, filters.action, filters.q)),
        "words": words,
        "scale": words.scale(),
    }

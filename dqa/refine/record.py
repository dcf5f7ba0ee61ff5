"""The record of a refinement, ``schema: "dqa.refinement/1"``: every clip that was made for a brief, and how it ended.

A record is plain JSON. It names the evaluations and does not repeat them: what a clip got and why is in its evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dqa.record import Action, Grade

SCHEMA = "dqa.refinement/1"

Outcome = Literal["accepted", "review", "exhausted", "failed"]
"""``review``: a person has to look at it. ``exhausted``: no clip was good enough within the retries. ``failed``: a clip
could not be judged, which says nothing about prompts."""

Final = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Cycle(_Part):
    """One clip: from which prompt and seed, and what it got.

    Attributes:
        attempt: 1 for the first.
        prompt: what the generator got; the clip is judged against the brief.
        seed: of the generator; null where it takes none.
        media: the clip's path, or its media id.
        evaluation: id of its evaluation; null where it could not be judged, and then so is what follows.
    """

    attempt: int = Field(ge=1)
    prompt: str
    seed: int | None
    media: str
    evaluation: str | None
    grade: Grade | None
    action: Action | None
    final: Final | None
    advice: tuple[str, ...]


class Refinement(BaseModel):
    """One brief, taken from prompt to verdict until a clip was good enough, or none was.

    Attributes:
        accepted: the evaluation that was accepted.
        best: the evaluation with the highest final score; never null once a clip was judged.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True, serialize_by_alias=True
    )

    schema_: Literal["dqa.refinement/1"] = Field(default=SCHEMA, alias="schema")
    id: str
    created: str
    brief: str
    user: str
    profile: str
    writer: str
    generator: str
    min_grade: Grade
    max_retries: int = Field(ge=0)
    outcome: Outcome
    cycles: tuple[Cycle, ...]
    accepted: str | None
    best: str | None


def best_of(cycles: Sequence[Cycle]) -> Cycle | None:
    """The cycle with the highest final score, the first of equals; one without a grade only where none has one."""
    judged = [cycle for cycle in cycles if cycle.evaluation is not None]
    return max(judged, key=lambda cycle: -1.0 if cycle.final is None else cycle.final, default=None)

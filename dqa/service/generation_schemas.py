"""What clients send to and get from ``/v1/generations``. Strict: an unknown field is an error."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from dqa.service.problems import Problem
from dqa.store.jobs import JobState


class GenerationRequest(BaseModel):
    """A clip to make. Which server makes it, and by which workflow, is the operator's setting."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    prompt: str = Field(min_length=1, max_length=20_000, description="what to show")
    negative: str | None = Field(None, max_length=20_000, description="what not to show; null leaves the workflow's")
    seed: int | None = Field(None, ge=0, le=2**53 - 1, description="of the noise; null draws one")
    workflow: str | None = Field(
        None, pattern=r"^[A-Za-z0-9][\w-]{0,63}$", description="a name of those that GET /v1/generations lists"
    )
    attempt: int = Field(1, ge=1, le=1000, description="kept with the clip")
    user: str | None = Field(None, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
    wait: bool | Annotated[float, Field(ge=0, le=600)] = Field(
        False, description="hold the answer until the clip is there, at most so many seconds (true: as allowed)"
    )


class GenerationView(BaseModel):
    """How a generation stands; ``media_id`` is the clip, once it is done."""

    id: str
    status: JobState
    media_id: str | None = None
    prompt: str
    negative: str | None
    seed: int
    workflow: str | None
    attempt: int
    error: Problem | None = None


class Generator(BaseModel):
    """What can be asked for."""

    configured: bool
    workflows: list[str] = Field(description="names for `workflow`; without one the operator's first choice runs")
    why: str | None = Field(description="why no clip can be made, and how to mend it; null when one can")

"""What clients send to and get from ``/v1/refinements``. Strict: an unknown field is an error."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from dqa.record import Grade
from dqa.refine.record import Outcome, Refinement
from dqa.refine.rule import MOST_RETRIES

_Line = r"^[^\x00-\x1f\x7f]+$"
_Text = r"^[^\x00]*$"
_Name = Annotated[str, Field(min_length=1, max_length=200, pattern=_Line)]
_Prompt = Annotated[str, Field(min_length=1, max_length=20_000, pattern=_Text)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class CycleRequest(_Asked):
    """One clip of a run. Grade, action, score and advice are not sent: the service takes them from the evaluation."""

    prompt: _Prompt = Field(description="what the generator got")
    seed: int | None = Field(None, ge=0, le=2**64 - 1, description="default that of the clip's own generation")
    media: str = Field("", max_length=4096, pattern=_Text, description="default what the evaluation names")
    evaluation: str | None = Field(
        None, pattern=r"^ev_[0-9a-hjkmnp-tv-z]{26}$", description="null where the clip could not be judged"
    )


class RefinementRequest(_Asked):
    """A run that has ended. The service gives it its id, and works out what its evaluations say."""

    brief: _Prompt
    user: _Name | None = Field(None, description="whose run; default the service's user")
    writer: _Name = Field(description="who wrote the prompts")
    generator: _Name = Field(description="what made the clips")
    min_grade: Grade
    max_retries: int = Field(ge=0, le=MOST_RETRIES)
    outcome: Outcome
    cycles: list[CycleRequest] = Field(max_length=MOST_RETRIES + 1)


class RefinementPage(BaseModel):
    """Records (``dqa.refinement/1``), newest first; ``next`` is the cursor of the following page."""

    items: list[Refinement]
    next: str | None

"""What clients send and get, besides the record itself. Strict: an unknown field is an error, not a silent no-op."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dqa.record import ChannelName, EvaluationRecord
from dqa.service.problems import Problem


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class EvaluationRequest(_Strict):
    """What to judge."""

    media: str = Field(
        min_length=1, max_length=4096, description="a media id, or the path of a file under a configured root"
    )
    prompt: str = Field(max_length=900_000, description="the text the clip was made from")
    user: str | None = Field(
        None, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$", description="whose taste counts"
    )
    profile: str | None = Field(None, max_length=64, description="which models judge; default the service's")
    channels: list[ChannelName] | None = Field(None, min_length=1, max_length=5, description="default all")
    wait: bool | Annotated[float, Field(ge=0, le=600)] = Field(
        False,
        description="hold the answer until the record is there, at most so many seconds (true: as long as allowed)",
    )


class EvaluationStatus(BaseModel):
    """An evaluation that has no record (yet)."""

    id: str
    status: Literal["queued", "running", "cancelling", "failed", "cancelled"]
    error: Problem | None = Field(None, description="why it failed")


class EvaluationPage(BaseModel):
    """Records, newest first; ``next`` is the cursor of the following page."""

    items: list[EvaluationRecord]
    next: str | None


class MediaUploaded(BaseModel):
    """An upload that was kept."""

    media_id: str
    sha256: str
    bytes: int
    name: str = Field(description="what the sender called it, to show")


class Health(BaseModel):
    """How the service is."""

    status: Literal["ok", "ready"]
    version: str
    workers_ready: int | None = None


_Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


_Reason = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")]


class SelectionRequest(_Strict):
    """A choice between two evaluations."""

    test_id: _Name = Field(description="the choice's own name; a user has each once")
    a: _Name = Field(description="an evaluation id")
    b: _Name = Field(description="another evaluation id")
    chosen: Literal["a", "b", "tie"]
    user: _Name | None = Field(None, description="whose choice; default the service's user")
    left: Literal["a", "b"] | None = Field(None, description="which clip was shown on the left")
    why: list[_Reason] = Field([], max_length=10, description="the reasons that were ticked, or in a few words")


class SelectionKept(BaseModel):
    """A choice as it is kept."""

    test_id: str
    user: str
    a: str
    b: str
    chosen: Literal["a", "b", "tie"]
    source: str
    created: str
    seq: int
    left: Literal["a", "b"] | None = None
    why: list[str] = []


class SelectionAnswer(SelectionKept):
    """A choice as it is kept, and whether it can be learned from as things stand."""

    resolved: bool = Field(description="whether both clips have evaluations here, by one profile")
    note: str | None = Field(None, description="what is missing; the choice is kept, and counts once it is there")


class SelectionPage(BaseModel):
    """Choices in the order they came; ``next`` is the ``after`` of the following page."""

    items: list[SelectionKept]
    next: int | None

"""What clients send to and get from ``/v1/tuner``."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from dqa.record import ChannelName
from dqa.taste.taste import CurvePoint, HeldOut, Position

_Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Profile = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]

MOST_VERSIONS = 100
"""Versions and steps that a state lists, the newest."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TunerStepRequest(_Strict):
    """Whose choices to learn from."""

    user: _Name | None = Field(None, description="default the service's user")


class ResetRequest(_Strict):
    """Whose taste to set aside."""

    user: _Name | None = Field(None, description="default the service's user")
    profile: _Profile | None = Field(None, description="for which profile; default the one that was learned last")


class RollbackRequest(ResetRequest):
    """Which version is to serve."""

    version: int | None = Field(
        None,
        ge=1,
        le=2**31 - 1,
        description="default the promoted version before the serving one; after a reset, the newest",
    )


class TunerStep(BaseModel):
    """What a training step told."""

    training_step: int
    loss: float | None = Field(
        description="mean Bradley-Terry log loss over the choices, in nats; null without choices"
    )
    new_patterns: list[str] = Field(description="patterns that the step before did not know")
    model_confidence: float = Field(description="share of the prior's uncertainty that the choices removed, 0 to 1")
    choices_seen: int
    new_choices: int
    unresolved: list[str] = Field(
        description="test_ids whose clips have no evaluation here, or evaluations of two profiles; the newest 1,000"
    )
    unresolved_because: dict[str, int] = Field({}, description="how many for each reason")
    patterns: list[str] = Field(description="what goes with rejection")
    winning_patterns: list[str] = Field([], description="what goes with being chosen")
    loss_trend: list[float | None]
    held_out: HeldOut | None = Field(None, description="how well unseen choices are predicted; null while too few")
    promoted: bool = Field(True, description="whether this version came to serve")
    gate: str | None = Field(None, description="why")
    serving: int | None = Field(None, description="the version that served then")
    profile: str | None = Field(None, description="whose scores it was learned from")
    created: str | None = None
    kept: bool | None = Field(None, description="whether its taste is still there to be gone back to")
    serves: bool | None = Field(None, description="whether it serves now")


class TasteView(BaseModel):
    """The serving taste."""

    likes: list[str]
    dislikes: list[str]
    held_out: HeldOut | None
    curve: list[CurvePoint]
    position: Position | None
    patterns: list[str]
    winning_patterns: list[str]
    channel_weights: dict[ChannelName, float] | None
    confidence: float
    half_life: float | None
    adapter: str | None
    usable: bool = Field(description="false: learned by an earlier version of DQA; the next step makes it anew")


class VersionView(BaseModel):
    """One version."""

    version: int
    created: str
    profile: str
    promoted: bool
    serving: bool
    kept: bool
    choices: int
    loss: float | None
    accuracy: float | None = Field(description="held out; null while too few")
    gate: str | None


class TunerState(BaseModel):
    """A user's taste for one profile; ``steps`` and ``versions`` newest first, at most 100."""

    user: str
    version: int | None = Field(description="the serving version; null before the first step and after a reset")
    steps: list[TunerStep]
    profile: str
    choices: int = Field(description="choices this user has made, for any profile")
    taste: TasteView | None
    versions: list[VersionView]

"""What a version of a fit holds: plain JSON, checked when it is read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from dqa.acceptance.curve import Curve, Knot
from dqa.errors import InputError
from dqa.record import ChannelName, Unit

CALIBRATED: tuple[ChannelName, ...] = ("semantic", "spatial", "benchmark", "visionreward")
"""The channels that ratings can calibrate. Preference is a chance already, one user's, and new with every taste."""

Picture = Annotated[str, Field(pattern=r"^data:image/jpeg;base64,[A-Za-z0-9+/=]+$", max_length=24_000)]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Figure(_Data):
    """One measure of unseen ratings, lower is better: by the scores as they are, and by the fitted ones.

    ``low`` and ``high`` are the 90 % interval of ``before - after``.
    """

    before: float
    after: float
    low: float
    high: float


class Anchor(_Data):
    """What a score looks like: the rated clips that scored about as much, and one of them.

    Attributes:
        at: the (calibrated) score.
        clips, ratings: how many of each were within a tenth of it.
        accepted: the share of those clips' ratings that accept; null when there was none.
        score: of the clip in ``picture``.
        picture: a small JPEG as a data URI; null without a clip.
    """

    at: Unit
    clips: int = Field(ge=0)
    ratings: int = Field(ge=0)
    accepted: Unit | None
    score: Unit | None = None
    picture: Picture | None = None


class ChannelMap(_Data):
    """One channel's calibration.

    Attributes:
        knots: see :class:`~dqa.acceptance.curve.Curve`.
        judge: fingerprint of the model whose scores were rated; other models' scores are left as they are.
        checklist: SHA-256 of the fitted checklist weights behind those scores (VisionReward); null for the published.
        threshold: the rating in [0, 1] from which a person accepts.
        parameters: of the fitted formula, for readers; the knots are what counts.
        clips, ratings, prompts: what it was fitted to.
        accepted: share of the clips that were accepted.
        figures: ``log_loss`` (nats), ``brier`` and ``ece`` on ratings of unseen prompts.
        anchors: what scores look like.
    """

    knots: tuple[Knot, ...]
    judge: str
    checklist: str | None = None
    threshold: Unit
    parameters: dict[str, float]
    clips: int
    ratings: int
    prompts: int
    accepted: Unit
    figures: dict[str, Figure]
    anchors: tuple[Anchor, ...] = ()

    @field_validator("knots")
    @classmethod
    def _a_curve(cls, knots: tuple[Knot, ...]) -> tuple[Knot, ...]:
        try:
            Curve(knots)
        except InputError as error:
            raise ValueError(error.what) from None
        return knots

    @property
    def curve(self) -> Curve:
        """The map itself."""
        return Curve(self.knots)


class Version(_Data):
    """What every version of a fit tells of itself; ``version`` is 0 before it is kept."""

    version: int = Field(default=0, ge=0)
    profile: str
    created: str
    dqa_version: str


class Calibration(Version):
    """Maps of a profile's channels."""

    schema_: Literal["dqa.calibration/1"] = Field(default="dqa.calibration/1", alias="schema")
    channels: dict[ChannelName, ChannelMap]

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


class KindWeights(_Data):
    """Weights of one medium's questions, in their order, and what they were fitted to.

    Attributes:
        questions: SHA-256 of the questions' texts: weights are for these and no others.
        weights: one a question, >= 0.
        pairs, prompts: decided choices, and groups of prompts that hang together.
        wrong: share of unseen choices predicted wrongly, by the published weights (before) and by these (after).
        log_loss: nats a choice, before and after, with the 90 % interval of the gain.
    """

    questions: str
    weights: tuple[Annotated[float, Field(ge=0)], ...]
    pairs: int
    prompts: int
    wrong: Figure
    log_loss: Figure


class ChecklistWeights(Version):
    """Fitted weights of VisionReward's checklist, for the answers of one profile's judge (``judge``)."""

    schema_: Literal["dqa.checklist/1"] = Field(default="dqa.checklist/1", alias="schema")
    judge: str
    users: str
    kinds: dict[Literal["video", "image"], KindWeights]

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

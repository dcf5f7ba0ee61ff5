"""The evaluation record, ``schema: "dqa.evaluation/1"``: the one verdict every surface gives.

A record is plain JSON. Scores are in [0, 1], higher is better, and rounded nowhere. A channel that
could not judge has ``score: null`` and a status that says why; it is never a silent 0. Boxes are
``[x0, y0, x1, y1]`` in pixels of the original frame; areas are shares of the frame.

Two runs over the same clip, prompt, profile and seed differ in ``id``, ``created`` and ``timings_s`` only, and on a GPU
in ``memory.measured``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SerializerFunctionWrapHandler, model_serializer

SCHEMA = "dqa.evaluation/1"

ChannelName = Literal["semantic", "spatial", "benchmark", "visionreward", "preference"]
Status = Literal["ok", "abstained", "unavailable", "failed"]
Grade = Literal["A", "A-", "B+", "B", "B-", "C", "F"]
Action = Literal["accept", "review", "refine", "reject"]
AxisName = Literal["aesthetic", "motion", "coherence", "fidelity"]

Unit = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Box = tuple[float, float, float, float]

MEASURED = "measured"
"""Key of ``EvaluationRecord.memory`` that holds what a CUDA device had in use; like timings it differs between runs."""

UNCALIBRATED = "uncalibrated_score"
"""Key of ``ChannelResult.raw`` that holds the channel's own score where ``score`` is a calibrated one."""

PUBLISHED = "by_published_weights"
"""Key of VisionReward's ``raw`` with ``{"score", "axes"}`` by the published weights, where fitted ones were used."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Media(_Part):
    """What was judged. ``frames`` counts decoded frames; ``corrupt_packets`` those the decoder lost or flagged."""

    sha256: str
    kind: Literal["video", "image"]
    width: int
    height: int
    fps: float
    frames: int
    duration_s: float
    corrupt_packets: int


class ModelIdentity(_Part):
    """Which model spoke: enough to fetch the same one again, and what it can't do."""

    id: str
    revision: str | None = None
    sha256: str | None = None
    licence: str
    weakness: str | None = None
    parts: tuple[ModelIdentity, ...] = ()


class Evidence(_Part):
    """One thing a score rests on, tied to a place or a moment where there is one."""

    text: str
    frame: int | None = None
    time_s: tuple[float, float] | None = None
    box: Box | None = None
    area: Unit | None = None


class Dimension(_Part):
    """One benchmark dimension. ``raw`` is the measured value behind ``score``, in the unit its reason names."""

    score: Unit | None
    raw: float | None
    status: Status
    reason: str = ""


class Axis(_Part):
    """One VisionReward axis; the advice is what to change when the score is low, else empty."""

    score: Unit | None
    reason: str
    advice: str


class ChannelResult(_Part):
    """What a channel found. Only the benchmark has the key ``dimensions``, only VisionReward ``axes``."""

    status: Status
    score: Unit | None = None
    confidence: Unit | None = None
    reason: str
    evidence: tuple[Evidence, ...] = ()
    model: ModelIdentity | None = None
    raw: dict[str, JsonValue] = Field(default_factory=dict)
    dimensions: dict[str, Dimension] | None = None
    axes: dict[AxisName, Axis] | None = None

    @model_serializer(mode="wrap")
    def _without_foreign_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = handler(self)
        return {k: v for k, v in data.items() if v is not None or k not in ("dimensions", "axes")}


class FitUsed(_Part):
    """A fit that changed scores (:mod:`dqa.acceptance`): its version, and the SHA-256 of what it holds."""

    version: int = Field(ge=1)
    sha256: str


class Reproduce(_Part):
    """Everything ``dqa reproduce`` needs to run the same evaluation again and compare.

    ``taste_version`` is the version of the user's taste that judged preference; null when there was none.
    ``adaptive_weights`` says whether the channels weighed as that taste had learned, not as the mission says.
    ``calibration`` is the one that was in force, ``checklist`` the fitted weights of VisionReward's questions; each is
    a key only where there was one.
    ``benchmark_backend`` is what judged the benchmark channel, ``vlm_component`` which vision-language model; each is a
    key only where the settings chose it.
    """

    dqa_version: str
    media: str
    sha256: str
    prompt: str
    user: str
    profile: str
    profile_sha256: str
    channels: tuple[ChannelName, ...]
    seed: int
    taste_version: int | None = None
    adaptive_weights: bool = False
    calibration: FitUsed | None = None
    checklist: FitUsed | None = None
    benchmark_backend: Literal["measured", "vbench"] | None = None
    vlm_component: str | None = None

    @model_serializer(mode="wrap")
    def _without_fits_that_are_not(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = handler(self)
        left_out = ("calibration", "checklist", "benchmark_backend", "vlm_component")
        return {k: v for k, v in data.items() if v is not None or k not in left_out}


class EvaluationRecord(BaseModel):
    """The verdict on one clip. Serialise with :meth:`to_json`."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True, serialize_by_alias=True
    )

    schema_: Literal["dqa.evaluation/1"] = Field(default=SCHEMA, alias="schema")
    id: str
    created: str
    prompt: str
    user: str
    profile: str
    media: Media
    channels: dict[ChannelName, ChannelResult]
    weights: dict[ChannelName, Unit]
    prompt_adherence: Unit | None
    final: Unit | None
    grade: Grade | None
    action: Action
    reasoning: str
    advice: tuple[str, ...]
    notes: tuple[str, ...]
    reproduce: Reproduce
    timings_s: dict[str, float]
    memory: dict[str, JsonValue]

    def to_json(self) -> str:
        """One line of JSON, as ``--json`` prints it."""
        return self.model_dump_json(by_alias=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> EvaluationRecord:
        """Reads what :meth:`to_json` wrote; raises ``pydantic.ValidationError`` on anything else."""
        return cls.model_validate_json(text)

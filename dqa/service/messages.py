"""What a worker and its supervisor tell each other: one JSON object a line, checked against these forms.

Down, on the worker's stdin: one :class:`WorkerConfig`, then nothing; its end means "stop". Up, on the worker's
stdout: :class:`Ready`, :class:`LoadFailed`, :class:`Ran`. Jobs themselves go through the store.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from dqa.config import Settings
from dqa.record import ChannelName

MAX_LINE = 64 * 1024


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class WorkerConfig(_Message):
    """How to work. The service's token is not in it: a worker has no use for it."""

    settings: dict[str, Any]
    evaluator: str
    parent: int

    @classmethod
    def of(cls, settings: Settings, evaluator: str, parent: int) -> WorkerConfig:
        told = settings.model_dump(mode="json", exclude={"token"})
        if settings.vlm_key is not None:  # masked in a dump; the pipe to the worker is nobody else's
            told["vlm_key"] = settings.vlm_key.get_secret_value()
        return cls(settings=told, evaluator=evaluator, parent=parent)


class Ready(_Message):
    """The models are loaded."""

    event: Literal["ready"] = "ready"
    peak_rss_bytes: int = Field(ge=0)


class LoadFailed(_Message):
    """The models can't be loaded; the worker ends."""

    event: Literal["load-failed"] = "load-failed"
    problem: dict[str, JsonValue]


class Held(_Message):
    """What the device held in a channel's last run, in bytes."""

    allocated: int = Field(ge=0)
    reserved: int = Field(ge=0)
    peak: int = Field(ge=0)


class Ran(_Message):
    """A job is over, in whatever way."""

    event: Literal["ran"] = "ran"
    job: str
    seconds: float = Field(ge=0)
    peak_rss_bytes: int = Field(ge=0)
    memory: dict[ChannelName, Held] = Field(default_factory=dict[ChannelName, Held])


Upward = Annotated[Ready | LoadFailed | Ran, Field(discriminator="event")]
_upward: TypeAdapter[Ready | LoadFailed | Ran] = TypeAdapter(Upward)


def parse_upward(line: bytes) -> Ready | LoadFailed | Ran:
    """A worker's line; raises ``ValueError`` on anything else."""
    if len(line) > MAX_LINE:
        raise ValueError("the line is too long")
    return _upward.validate_json(line, strict=True)

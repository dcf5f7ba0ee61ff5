"""Historical success: how clips like this one fared in the choices so far."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Remembered(BaseModel):
    """One clip of an earlier choice.

    Attributes:
        embedding: k values, what the clip shows (``features.EMBEDDING``).
        outcome: 1 chosen, 0.5 tie, 0 rejected.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    embedding: tuple[float, ...]
    outcome: float


class History(BaseModel):
    """The newest clips of the choices so far, oldest first; bounded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clips: tuple[Remembered, ...] = ()


NO_HISTORY = History()

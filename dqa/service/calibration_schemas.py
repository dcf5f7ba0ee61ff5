"""What clients send to and get from ``/v1/calibrations``. Strict: an unknown field is an error."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dqa.calibrate.axes import MAX_AXES

_Media = Annotated[
    str,
    Field(min_length=1, max_length=4096, description="a media id, or the path of a file under a configured root"),
]
_Line = r"^[^\x00-\x1f\x7f]+$"
_AxisName = Annotated[str, Field(min_length=1, max_length=40)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    axes: list[_AxisName] | None = Field(
        None, min_length=1, max_length=MAX_AXES, description="names of axes, or of groups, to judge; default all"
    )
    axes_toml: str | None = Field(
        None, min_length=1, max_length=64_000, description="changes to the default axes, as an axes file says them"
    )
    run_tag: str | None = Field(
        None, min_length=1, max_length=80, pattern=_Line, description="names the report; default its id"
    )
    user: str | None = Field(None, min_length=1, max_length=200, pattern=_Line, description="whose request it is")
    profile: str | None = Field(None, max_length=64, description="which models judge; default the service's")
    wait: bool | Annotated[float, Field(ge=0, le=600)] = Field(
        False, description="hold the answer until the report is there, at most so many seconds (true: as allowed)"
    )


class DescribeRequest(_Asked):
    """A reference picture or video to put into words."""

    reference: _Media


class CompareRequest(_Asked):
    """A generated picture or video, and the reference: either media or words."""

    generated: _Media
    reference: _Media | None = None
    ref_desc: str | None = Field(
        None,
        min_length=1,
        max_length=200_000,
        description="the reference in words, or what describe gave (its text or JSON)",
    )
    prompt: str | None = Field(None, max_length=20_000, description="what it was made with, kept in the report")
    negative: str | None = Field(None, max_length=20_000, description="likewise")
    seed: int | None = Field(None, ge=0, le=2**64 - 1, description="likewise")


class CalibrationReport(BaseModel):
    """``dqa.calibration/1``, as ``dqa calibrate`` prints it, with the id it is found by."""

    model_config = ConfigDict(extra="allow")

    id: str
    mode: Literal["describe", "compare"]
    run_tag: str
    axes: dict[str, Any]
    canonical_reference: str
    notes: list[str]

"""A request to describe or compare, checked as far as it can be without decoding anything."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

from pydantic import JsonValue

from dqa.calibrate.axes import Axes, default_axes, load_axes
from dqa.calibrate.reference import parse_reference
from dqa.calibrate.report import safe_tag
from dqa.errors import InputError, UsageError
from dqa.ids import new_id
from dqa.models.profiles import load_profile
from dqa.service.calibration_schemas import CompareRequest, DescribeRequest
from dqa.service.context import Service
from dqa.service.requests import source_of
from dqa.store import NewJob
from dqa.store.keys import IdempotencyKey

MODE = "calibration"
"""Key of a job's request that says ``describe`` or ``compare``; evaluations have none."""


def new_calibration(service: Service, asked: DescribeRequest | CompareRequest) -> NewJob:
    """What the worker has to do.

    Raises:
        InputError: a media, the axes or the reference can't be used.
        UsageError: there is no reference, or two.
        ConfigError: there is no such profile.
    """
    axes = chosen_axes(asked.axes, asked.axes_toml)
    profile = load_profile(asked.profile or service.settings.profile).name
    tag = None if asked.run_tag is None else safe_tag(asked.run_tag)
    job_id, user = new_id("cal"), asked.user or service.settings.user
    common: dict[str, JsonValue] = {
        "axes": list(asked.axes) if asked.axes else None,
        "axes_toml": asked.axes_toml,
        "run_tag": tag or job_id,
        "profile": profile,
    }
    if isinstance(asked, DescribeRequest):
        place, media_id = _place(service, asked.reference)
        request: dict[str, JsonValue] = {MODE: "describe", "media": asked.reference, "reference": place, **common}
        return NewJob(job_id, user, profile, request, media_id)
    if (asked.reference is None) == (asked.ref_desc is None):
        raise UsageError("compare needs one reference", fix="send reference or ref_desc, one of them")
    if asked.ref_desc is not None:
        parse_reference(asked.ref_desc, axes)
    place, media_id = _place(service, asked.generated)
    request = {
        MODE: "compare",
        "media": asked.generated,
        "generated": place,
        "reference": None if asked.reference is None else _place(service, asked.reference)[0],
        "ref_desc": asked.ref_desc,
        "prompt": asked.prompt,
        "negative": asked.negative,
        "seed": asked.seed,
        **common,
    }
    return NewJob(job_id, user, profile, request, media_id)


def chosen_axes(names: list[str] | None, toml: str | None) -> Axes:
    """The default axes as ``toml`` changes them, and of those the ones (or groups) that are named.

    Raises:
        InputError: the TOML is malformed, or a name is none of them.
    """
    axes = default_axes() if toml is None else _from_toml(toml)
    if names is None:
        return axes
    known = {axis.name for axis in axes} | {axis.group for axis in axes}
    strange = [name for name in names if name not in known]
    if strange:
        raise InputError(f"{strange[0]!r} is no axis or group of axes", fix="see dqa calibrate axes")
    return Axes(tuple(axis for axis in axes if axis.name in names or axis.group in names))


def calibration_key(key: str | None, mode: str, asked: DescribeRequest | CompareRequest) -> IdempotencyKey | None:
    """The key with what it stands for; how long to wait is no part of that."""
    if key is None:
        return None
    body = json.dumps([mode, asked.model_dump(mode="json", exclude={"wait"})], sort_keys=True)
    return IdempotencyKey(key, "calibrations", hashlib.sha256(body.encode()).hexdigest())


def _from_toml(text: str) -> Axes:
    with tempfile.TemporaryDirectory(prefix="dqa-") as folder:
        path = Path(folder) / "axes.toml"
        path.write_text(text, encoding="utf-8")
        try:
            return load_axes(path)
        except InputError as error:  # the file is ours: its name tells the client nothing
            raise InputError(f"axes_toml: {error.what}", fix=error.fix) from None


def _place(service: Service, media: str) -> tuple[dict[str, JsonValue], str | None]:
    source = source_of(service, media)
    return {"media": media, "path": source.path, "roots": source.roots}, source.media_id

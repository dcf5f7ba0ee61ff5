"""What an evaluation may be told, and what is asked once every default is filled in."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, get_args

from dqa.acceptance.apply import Fits
from dqa.measure.observation import Observation
from dqa.models.residency.meter import Reading
from dqa.prompt.parse import Prompt
from dqa.record import ChannelName, ChannelResult, EvaluationRecord, Reproduce
from dqa.taste.taste import Taste

CHANNELS: tuple[ChannelName, ...] = get_args(ChannelName)
TasteSource = Callable[[str, str, int | None], Taste | None]
"""The taste of a user for a profile's scores, the serving one (version None) or that of a version; None for none."""

Progress = Callable[[str, float], None]
"""Called with a stage and the share done, 0 to 1; may raise :class:`~dqa.errors.Cancelled` to stop."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A record, and the observation it was made from (for reports)."""

    record: EvaluationRecord
    observation: Observation


class Options(TypedDict, total=False):
    """What an evaluation may be told; ``None`` and absent mean the default.

    Attributes:
        user: whose taste counts; default the setting.
        seed: of everything random; default the setting.
        channels: which to judge; default all. The others are in the record as ``unavailable``.
        evaluation_id: the record's id; default a new one.
        media_name: what the record calls the media; default its absolute path.
        taste_version: which version of the user's taste judges; default the serving one, 0 for none.
        fits: the recipe of a record whose calibration and checklist weights count (or none); default those in force.
        roots: folders the media must lie under; default any: the caller's own choice.
        progress: told of each stage; raises ``Cancelled`` to stop.
    """

    user: str | None
    seed: int | None
    channels: Sequence[ChannelName] | None
    evaluation_id: str | None
    media_name: str | None
    taste_version: int | None
    fits: Reproduce | None
    roots: Sequence[Path] | None
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Item:
    """One clip of many (:meth:`dqa.evaluator.Evaluator.run_many`); the arguments are those of a single evaluation."""

    media: Path
    prompt: str
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, checked and with every default filled in."""

    media: Path
    media_name: str
    roots: Sequence[Path] | None
    prompt: Prompt
    user: str
    taste: Taste | None
    fits: Fits
    seed: int
    channels: tuple[ChannelName, ...]
    evaluation_id: str


@dataclass(slots=True)
class Underway:
    """A clip between its decode and its record.

    Attributes:
        timings: seconds by stage, so far.
        results: of the channels so far.
        memory: what the device held in each channel's run, where that is counted.
        notes: what happened on the way that a reader of the record must know.
    """

    request: Request
    observation: Observation
    tell: Progress
    timings: dict[str, float]
    results: dict[ChannelName, ChannelResult] = field(default_factory=dict[ChannelName, ChannelResult])
    memory: dict[ChannelName, Reading] = field(default_factory=dict[ChannelName, Reading])
    notes: list[str] = field(default_factory=list[str])


def printable(path: Path) -> str:
    """The absolute path, with bytes that are not UTF-8, and halves of characters, spelled out, as JSON requires."""
    try:
        return os.fsencode(path.absolute()).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # no file has such a name; a manifest may ask for it
        return str(path.absolute()).encode("utf-8", "backslashreplace").decode("utf-8")


def silent(stage: str, share: float) -> None:
    """Progress that nobody wants to hear of."""
    del stage, share

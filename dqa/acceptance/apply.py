"""The fits that an evaluation runs under, and what they make of its scores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from dqa.acceptance.content import Calibration, ChannelMap, ChecklistWeights
from dqa.acceptance.shelf import Content, Kept, Shelf, calibrations, checklists, serving
from dqa.errors import VersionNotFound
from dqa.record import UNCALIBRATED, ChannelName, ChannelResult, FitUsed, ModelIdentity, Reproduce

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fits:
    """What changes a profile's scores on this machine.

    Attributes:
        calibration: maps of the channels' scores; None leaves them as they are.
        checklist: weights of VisionReward's questions; None for the published ones.
        problems: what is in force and can't be used, in words; scores are then as if it were not.
    """

    calibration: Kept[Calibration] | None = None
    checklist: Kept[ChecklistWeights] | None = None
    problems: tuple[str, ...] = ()

    @property
    def used(self) -> dict[str, FitUsed | None]:
        """How the record's recipe names them."""
        return {
            "calibration": self.calibration.used if self.calibration else None,
            "checklist": self.checklist.used if self.checklist else None,
        }


NO_FITS = Fits()


def in_force(home: Path, profile: str) -> Fits:
    """The fits that serve; a damaged one is named and left out."""
    calibration, one = serving(calibrations(home, profile))
    checklist, two = serving(checklists(home, profile))
    problems = tuple(problem for problem in (one, two) if problem)
    for problem in problems:
        log.warning("a fit can't be used", profile=profile, problem=problem)
    return Fits(calibration, checklist, problems)


def as_recorded(home: Path, recipe: Reproduce) -> Fits:
    """The fits that a record was made under.

    Raises:
        VersionNotFound: one is not there any more, is damaged, or is another one of that number.
    """
    return Fits(
        _recorded(calibrations(home, recipe.profile), recipe.calibration),
        _recorded(checklists(home, recipe.profile), recipe.checklist),
    )


def calibrated(
    results: Mapping[ChannelName, ChannelResult], fits: Fits
) -> tuple[dict[ChannelName, ChannelResult], tuple[str, ...]]:
    """The results with calibrated scores, ``raw["uncalibrated_score"]`` holding the channels' own, and notes on it."""
    notes = [f"scored without it: {problem.rstrip('.')}" for problem in fits.problems]
    if fits.calibration is None:
        return dict(results), tuple(notes)
    checklist = fits.checklist.sha256 if fits.checklist else None
    found, done = dict(results), list[str]()
    for name, channel in fits.calibration.content.channels.items():
        result = results.get(name)
        if result is None or result.score is None:
            continue
        if why := _foreign(name, channel, result, checklist):
            notes.append(f"{name} is not calibrated: {why}")
            continue
        raw = {**result.raw, UNCALIBRATED: result.score}
        found[name] = result.model_copy(update={"score": channel.curve(result.score), "raw": raw})
        done.append(f"{name} (from {channel.ratings} ratings)")
    if done:
        version = fits.calibration.content.version
        what = f"calibrated to the chance that a person accepts the clip, by version {version}: {', '.join(done)}"
        notes.append(f"{what}; the channels' own scores are in raw")
    return found, tuple(notes)


def fingerprint(model: ModelIdentity | None) -> str:
    """What tells one judge's scores from another's: ids, revisions and hashes, without words and licences."""
    canonical = json.dumps(None if model is None else _essence(model), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _essence(model: ModelIdentity) -> dict[str, Any]:
    return {
        "id": model.id,
        "revision": model.revision,
        "sha256": model.sha256,
        "parts": [_essence(part) for part in model.parts],
    }


def _foreign(name: ChannelName, channel: ChannelMap, result: ChannelResult, checklist: str | None) -> str:
    """Why a map is not for this result; empty when it is."""
    if channel.judge != fingerprint(result.model):
        return "the map was fitted to another model's scores; run dqa models fit-calibration again"
    if name == "visionreward" and channel.checklist != checklist:
        return "the map was fitted under other checklist weights; run dqa models fit-calibration again"
    return ""


def _recorded(shelf: Shelf[Content], used: FitUsed | None) -> Kept[Content] | None:
    if used is None:
        return None
    kept = shelf.get(used.version)
    if kept.sha256 != used.sha256:
        what = f"version {used.version} of the {shelf.kind} for profile {shelf.profile} is not the one of the record"
        raise VersionNotFound(what, fix="evaluate the clip anew, or bring back the state folder it was judged in")
    return kept

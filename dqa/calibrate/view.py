"""A picture or video that is looked at: opened with the guards of every clip, decoded once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dqa.clip.clip import Clip
from dqa.clip.limits import Limits
from dqa.config import Settings
from dqa.measure.observation import Observation
from dqa.measure.observe import observe


@dataclass(frozen=True, slots=True)
class View:
    """A file and what one decode of it left."""

    path: Path
    sha256: str
    observation: Observation


def look_at(path: Path, settings: Settings) -> View:
    """Opens and decodes a file.

    Raises:
        InputError: it can't be evaluated.
    """
    clip = Clip.open(path, Limits.from_settings(settings))
    return View(clip.path, clip.sha256, observe(clip.frames(), lambda: clip.media))

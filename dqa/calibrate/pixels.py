"""What the pixels of a clip say about the axes that can be measured: numbers and names, no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import cv2
import numpy as np

from dqa.calibrate.colours import NAMES, Lab, colour_shares, lab
from dqa.calibrate.subject import Subject, find_subject
from dqa.clip.frame import Image
from dqa.measure.arithmetic import settle_arithmetic
from dqa.measure.colour import ColourSignature
from dqa.measure.imaging import sharpness
from dqa.measure.motion import grey
from dqa.measure.observation import Observation
from dqa.measure.signals import Signals

Measure = Literal[
    "brightness", "contrast", "saturation", "warmth", "sharpness", "background_colour", "subject_colour",
    "subject_size", "subject_x", "subject_y", "camera_motion", "pace", "cuts",
]  # fmt: skip
OVER_TIME: frozenset[Measure] = frozenset({"camera_motion", "pace", "cuts"})
"""What only a video has."""

FRAMES = 8
"""Frames of a video that are looked at, even in time."""

_SIDE = 80
# Short sides per second: below the first a camera stands still; a shake around the mean above the second is a hand's.
_STILL, _SHAKE = 0.02, 0.15
_SAME_SHOT = 0.7


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure: a number or a name, or, with neither, why there is none."""

    number: float | None = None
    name: str | None = None
    why_not: str = ""


def measure(observation: Observation) -> dict[Measure, Measured]:
    """Every measure of a clip. Deterministic: the same bits every time.

    ``brightness`` is the mean of L* / 100, ``contrast`` the standard deviation of L* / 100, ``saturation`` the mean
    chroma C*ab / 100, ``warmth`` the mean b* / 100 (blue under 0, yellow over it), ``sharpness`` 1 - the blur metric of
    Crete et al. (2007), ``subject_size`` a share of the frame, ``subject_x`` and ``subject_y`` its centre in 0..1,
    ``pace`` the mean speed of the picture in short sides a second, ``cuts`` how many there are.
    """
    settle_arithmetic()
    images = [observation.stills[i].image for i in _even(len(observation.stills), FRAMES)]
    small = [lab(_reduced(image)) for image in images]
    subjects = [find_subject(pixels) for pixels in small]
    return {
        **_look(images, small),
        **_subject(small, subjects),
        **_time(observation),
    }


def _even(count: int, most: int) -> list[int]:
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, most))})


def _reduced(image: Image) -> Image:
    height, width = image.shape[:2]
    ratio = _SIDE / max(height, width)
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return cast(Image, cv2.resize(image, size, interpolation=cv2.INTER_AREA)) if ratio < 1 else image


def _look(images: Sequence[Image], small: Sequence[Lab]) -> dict[Measure, Measured]:
    light = [pixels[..., 0] / 100 for pixels in small]
    return {
        "brightness": _mean([float(values.mean()) for values in light]),
        "contrast": _mean([float(values.std()) for values in light]),
        "saturation": _mean([float(np.hypot(p[..., 1], p[..., 2]).mean()) / 100 for p in small]),
        "warmth": _mean([float(pixels[..., 2].mean()) / 100 for pixels in small]),
        "sharpness": _mean([sharpness(grey(image)) for image in images]),
    }


def _mean(values: Sequence[float]) -> Measured:
    return Measured(number=float(np.mean(values)))


def _subject(small: Sequence[Lab], subjects: Sequence[Subject | None]) -> dict[Measure, Measured]:
    """The subject's measures; none when most frames have no single thing that stands out."""
    found = [(pixels, subject) for pixels, subject in zip(small, subjects, strict=True) if subject is not None]
    behind = [p if s is None else p[~s.mask] for p, s in zip(small, subjects, strict=True)]
    background: dict[Measure, Measured] = {"background_colour": Measured(name=_commonest(behind))}
    if 2 * len(found) <= len(small):
        nothing = Measured(why_not="no single thing stands out from the border of the picture")
        return {**background, **dict.fromkeys(("subject_colour", "subject_size", "subject_x", "subject_y"), nothing)}
    regions = [subject for _, subject in found]
    return {
        **background,
        "subject_colour": Measured(name=_commonest([pixels[subject.mask] for pixels, subject in found])),
        "subject_size": _mean([subject.area for subject in regions]),
        "subject_x": _mean([subject.x for subject in regions]),
        "subject_y": _mean([subject.y for subject in regions]),
    }


def _commonest(parts: Sequence[Lab]) -> str:
    shares = [colour_shares(part) for part in parts]
    return max(NAMES, key=lambda name: sum(share[name] for share in shares))


def _time(observation: Observation) -> dict[Measure, Measured]:
    signals = observation.signals
    seconds = float(signals.intervals.sum())
    if observation.media.kind == "image" or seconds <= 0:
        still = Measured(why_not="an image has no motion")
        return dict.fromkeys(("camera_motion", "pace", "cuts"), still)
    return {
        "camera_motion": Measured(name=_camera(signals)),
        "pace": Measured(number=float(signals.motion.sum()) / seconds),
        "cuts": Measured(number=float(_cuts(observation))),
    }


def _camera(signals: Signals) -> str:
    """By the median displacement of each pair of frames: what most of the picture does is what the camera does."""
    speed = signals.shift / np.maximum(signals.intervals, 1e-3)[:, None]
    x, y = (float(value) for value in np.median(speed, axis=0))
    shake = float(np.median(np.abs(speed - (x, y)).max(axis=1)))
    if max(abs(x), abs(y)) < _STILL or shake > max(abs(x), abs(y)):
        return "handheld" if shake > _SHAKE else "static"
    if abs(x) >= abs(y):
        return "pan right" if x < 0 else "pan left"
    return "tilt down" if y < 0 else "tilt up"


def _cuts(observation: Observation) -> int:
    """Neighbouring frames, an eighth of a second or less apart, that share few colours."""
    rows = ColourSignature().encode([frame.image for frame in observation.track])
    return int((np.einsum("ij,ij->i", rows[1:], rows[:-1]) < _SAME_SHOT).sum())

"""How a clip looks: light, contrast, colour, warmth and pace. Nobody's fault and nobody's merit; a matter of taste."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from dqa.clip.frame import Image
from dqa.measure.arithmetic import settle_arithmetic
from dqa.measure.imaging import colourfulness
from dqa.measure.motion import small_copy
from dqa.measure.observation import Observation
from dqa.measure.signals import Series, Signals

_CONTRAST_HALF = 20.0
_COLOUR_HALF = 60.0
_WARM_SCALE = 15.0
_PACE_HALF = 0.05
# The halves are the medians of 22 generated clips, rounded (21, 76 between "quite" and "highly colourful", 0.049).


@dataclass(frozen=True, slots=True)
class Look:
    """How a clip looks, each in [0, 1]; none is better high or low. CIELAB is D65, L* in 0..100.

    Attributes:
        brightness: mean L* / 100.
        contrast: ``1 - 2^(-s / 20)`` of the standard deviation s of L* within a frame, mean over frames.
        colourfulness: ``1 - 2^(-M / 60)`` of Hasler and Süsstrunk's M3 (2003), mean over frames.
        warmth: ``1 / (1 + e^(-b / 15))`` of the mean b* (blue to yellow): 0.5 neutral, 0 blue, 1 yellow.
        pace: ``1 - 2^(-v / 0.05)`` of the mean speed v of the picture, in short sides a second, each frame as long as
            it is shown; None for an image or a single frame.
    """

    brightness: float
    contrast: float
    colourfulness: float
    warmth: float
    pace: float | None


def look(observation: Observation) -> Look:
    """How a clip looks, from its stills and its motion. The same bits every time."""
    settle_arithmetic()
    rows = np.array([_frame(still.image) for still in observation.stills], np.float64)
    light, spread, colour, yellow = (float(value) for value in rows.mean(axis=0))
    return Look(
        brightness=min(1.0, max(0.0, light / 100)),
        contrast=_saturating(spread, _CONTRAST_HALF),
        colourfulness=_saturating(colour, _COLOUR_HALF),
        warmth=1 / (1 + math.exp(-yellow / _WARM_SCALE)),
        pace=None if observation.media.kind == "image" else _pace(observation.signals),
    )


def _frame(image: Image) -> tuple[float, float, float, float]:
    """Mean and deviation of L*, M3, and mean b* of one frame, on its reduced copy."""
    small = small_copy(image)
    lab = cast(Series, cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)).astype(np.float64)
    light = lab[..., 0]
    return float(light.mean()), float(light.std()), colourfulness(small), float(lab[..., 2].mean())


def _pace(signals: Signals) -> float | None:
    seconds = float(signals.intervals.sum())
    return _saturating(float(signals.motion.sum()) / seconds, _PACE_HALF) if seconds > 0 else None


def _saturating(value: float, half: float) -> float:
    """0 at 0, 0.5 at ``half``, towards 1."""
    return 1 - 2 ** (-value / half)

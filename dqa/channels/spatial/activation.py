"""Where in a frame the classifier's evidence for some labels lies: class activation maps (Zhou 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dqa.clip.frame import Frame
from dqa.models.embedded.classifier import LiteClassifier
from dqa.record import Box

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIDE = 448
"""Twice the classifier's own size: a 14 x 14 grid, on which pointing was better than on 9 x 9 in an earlier study."""

_WINDOW, _OFFSETS = 7, (0, 3, 7)
"""Windows of 7 x 7 cells are as large as the pictures the classifier learned from, so its probabilities hold there."""

MASK_SIDE = 42
_TEMPERATURE = 0.7
_EDGE = 0.5
"""Share of a map's maximum at which the thing is taken to end."""


@dataclass(frozen=True, slots=True)
class View:
    """One frame as the classifier sees it.

    Attributes:
        frame: the frame.
        grid: h x w x 1280 features.
        windows: n x 1000 label probabilities, of the whole frame and of nine overlapping windows.
    """

    frame: Frame
    grid: Floats
    windows: Floats


@dataclass(frozen=True, slots=True)
class Place:
    """Where a thing is in a frame. ``mask`` spans the frame, of any size; ``box`` is in pixels of the original
    frame; ``area`` is the mask's share of the frame."""

    mask: Mask
    box: Box
    area: float

    @property
    def centre(self) -> tuple[float, float]:
        """Centre of mass of the mask, x and y in shares of the frame."""
        ys, xs = np.nonzero(self.mask)
        height, width = self.mask.shape
        return float((xs.mean() + 0.5) / width), float((ys.mean() + 0.5) / height)


def view(frame: Frame, classifier: LiteClassifier) -> View:
    """Features and label probabilities of a frame."""
    grid = classifier.grid(frame.image, SIDE)
    patches = [grid, *(grid[y : y + _WINDOW, x : x + _WINDOW] for y in _OFFSETS for x in _OFFSETS)]
    pooled = np.array([patch.mean(axis=(0, 1)) for patch in patches], dtype=np.float32)
    logits = classifier.classify(pooled) / _TEMPERATURE
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return View(frame, grid, weights / weights.sum(axis=1, keepdims=True))


def support(seen: View, labels: tuple[int, ...]) -> float:
    """How likely the labels are in the window where they are likeliest, 0 to 1."""
    return float(seen.windows[:, list(labels)].sum(axis=1).max())


def place(seen: View, labels: tuple[int, ...], class_weights: Floats) -> Place:
    """The region around the strongest activation of the labels, each weighing as much as it is likely here."""
    chosen = list(labels)
    likely = seen.windows[:, chosen].max(axis=0)
    weights = (likely / max(float(likely.sum()), 1e-12)) @ class_weights[chosen] - class_weights.mean(axis=0)
    activation = cv2.resize(seen.grid @ weights, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_LINEAR)
    activation -= activation.min()
    return place_of(_around_peak(activation), seen.frame)


def place_of(mask: Mask, frame: Frame) -> Place:
    """The place that a mask, with at least one cell set, marks in a frame."""
    ys, xs = np.nonzero(mask)
    height, width = (side * frame.scale / cells for side, cells in zip(frame.image.shape[:2], mask.shape, strict=True))
    box = (
        float(xs.min() * width),
        float(ys.min() * height),
        float((xs.max() + 1) * width),
        float((ys.max() + 1) * height),
    )
    return Place(mask, box, float(mask.mean()))


def _around_peak(activation: Floats) -> Mask:
    """The connected cells above :data:`_EDGE` of the maximum that hold the maximum."""
    above = (activation >= _EDGE * activation.max()).astype(np.uint8)
    _, parts = cv2.connectedComponents(above)
    return parts == parts.flat[int(activation.argmax())]


def run_lengths(mask: Mask) -> list[int]:
    """Row-major run lengths, first of what is not set (COCO's order, but by rows).

    >>> run_lengths(np.array([[False, True], [True, False]]))
    [1, 2, 1]
    """
    flat = mask.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = [int(n) for n in np.diff(np.concatenate(([0], edges, [flat.size])))]
    return [0, *runs] if flat[0] else runs

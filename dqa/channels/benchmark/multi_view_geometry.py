"""Do the views fit one rigid scene? After the matching half of VBench-2.0's Multi-View_Consistency.

Two views of a rigid scene obey one fundamental matrix. As in VBench-2.0: SIFT points, the ratio test at 0.85, and the
share of matches within 3 px (of 480 lines) of the matrix that RANSAC finds, between frames whose spacing follows from
how fast the picture moves. There a CoTracker tells whether the camera orbits; here the matches themselves tell whether
the camera moves and whether something moves on its own, and where they say otherwise, the dimension abstains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from dqa.channels.benchmark.view import Finding, View, abstain
from dqa.clip.frame import Frame
from dqa.measure.motion import grey
from dqa.record import Evidence

RATIO = 0.85
NEAR = 3 / 480
"""Distance from the epipolar line that still fits, as a share of the short side."""

POINTS, MATCHES, PAIRS = 1000, 40, 8
"""Most points of a frame, least matches of a pair, and most pairs of a clip."""

TRAVEL = 0.08
"""How far the picture should move between two views, as a share of the short side."""

OWN = 0.06
"""Share of the picture's parts over which what breaks the rest's geometry may be things that move by themselves."""

_SHORTEST_S, _LONGEST_S = 1 / 8, 1.5
_ACROSS, _DOWN = 6, 4
_STANDS = 0.01
"""Displacement, as a share of the short side, under which a part of the picture stands still."""

Points = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two views.

    Attributes:
        fitting: share of matches that obey one fundamental matrix.
        moving: share of the picture's parts (with matches) that move.
        own: share of the parts whose matches mostly break what the other parts' obey.
    """

    earlier: Frame
    later: Frame
    fitting: float
    moving: float
    own: float


def measure(view: View, *, rigid: bool = False) -> Finding:
    """Raw: mean share of fitting matches over the pairs. Score: 0 at 0.4, where chance is near, 1 at 0.95.

    ``rigid``: it is known that nothing moves on its own, so that matches that don't fit are the scene's fault.
    """
    short = view.too_short()
    if short is not None:
        return short
    found = pairs(view)
    coverage = f"{len(found)} pairs of views"
    if len(found) < 2:
        return abstain(f"too few views can be matched; {coverage}")
    if float(np.median([pair.moving for pair in found])) < 0.6:
        return abstain(f"the gate “the camera moves” is not passed; {coverage}")
    if not rigid and float(np.median([pair.own for pair in found])) > OWN:
        return abstain(f"the gate “nothing moves on its own” is not passed; {coverage}")
    fitting = float(np.mean([pair.fitting for pair in found]))
    worst = min(found, key=lambda pair: pair.fitting)
    text = f"{100 * fitting:.0f} % of matched points fit one rigid scene, over {coverage}"
    span = (worst.earlier.time_s, worst.later.time_s)
    evidence = Evidence(
        text=f"the worst fit: {100 * worst.fitting:.0f} % of matches", frame=worst.earlier.index, time_s=span
    )
    return Finding(min(1.0, max(0.0, (fitting - 0.4) / 0.55)), fitting, text, (evidence,))


def pairs(view: View) -> list[Pair]:
    """The pairs of track frames that can be matched, at most :data:`PAIRS`, even in time."""
    track = view.track
    step = _step(view)
    if step >= len(track):
        return []
    starts = np.unique(np.linspace(0, len(track) - 1 - step, PAIRS).round().astype(int))
    found = [_pair(track[i], track[i + step]) for i in starts.tolist()]
    return [pair for pair in found if pair is not None]


def _step(view: View) -> int:
    """Track frames between two views: as many as the picture takes to move by :data:`TRAVEL`."""
    intervals = view.signals.intervals
    speed = float(view.signals.motion.sum() / max(1e-6, float(intervals.sum())))
    apart = min(_LONGEST_S, max(_SHORTEST_S, TRAVEL / max(speed, 1e-6)))
    track = view.track
    each = (track[-1].time_s - track[0].time_s) / max(1, len(track) - 1)
    return max(1, round(apart / max(each, 1e-6)))


def _pair(earlier: Frame, later: Frame) -> Pair | None:
    from_, to = matched(earlier, later)
    height, width = earlier.image.shape[:2]
    side = min(height, width)
    fits = fitting(from_, to, NEAR * side)
    if fits is None:
        return None
    cells = _cells(from_, height, width)
    parts = [cells == cell for cell in np.unique(cells) if np.count_nonzero(cells == cell) >= 4]
    if len(parts) < 4:
        return None
    travel = np.hypot(*(to - from_).T) / side
    moving = float(np.mean([float(np.median(travel[part])) > _STANDS for part in parts]))
    own = float(np.mean([float(fits[part].mean()) < 0.4 for part in parts]))
    return Pair(earlier, later, float(fits.mean()), moving, own)


def matched(earlier: Frame, later: Frame) -> tuple[Points, Points]:
    """n x 2 and n x 2: places of points that look alike in both frames and like nothing else (Lowe's ratio test)."""
    sift = cv2.SIFT.create(nfeatures=POINTS, contrastThreshold=0.02)
    ones, first = sift.detectAndCompute(grey(earlier.image), cast(Any, None))
    twos, second = sift.detectAndCompute(grey(later.image), cast(Any, None))
    none = np.empty((0, 2), np.float32)
    if len(ones) < 2 or len(twos) < 2:
        return none, none
    best = [m for m in cv2.BFMatcher(cv2.NORM_L2).knnMatch(first, second, k=2) if len(m) == 2]
    kept = [one for one, two in best if one.distance < RATIO * two.distance]
    if not kept:
        return none, none
    from_ = np.array([ones[match.queryIdx].pt for match in kept], np.float32)
    return from_, np.array([twos[match.trainIdx].pt for match in kept], np.float32)


def fitting(from_: Points, to: Points, near: float) -> NDArray[np.bool_] | None:
    """Which matches obey the fundamental matrix of most; None where they are too few or lie so that none is defined.

    Args:
        from_: n x 2.
        to: n x 2.
        near: px that a point may lie off its epipolar line.
    """
    if len(from_) < MATCHES or np.linalg.matrix_rank(from_ - from_.mean(axis=0), tol=1.0) < 2:
        return None
    cv2.setRNGSeed(0)
    # Its stubs say that both are arrays; where it finds none, they are None, and of several it stacks them.
    matrix, mask = cast("tuple[Any, Any]", cv2.findFundamentalMat(from_, to, cv2.FM_RANSAC, near, 0.999, 2000))
    if matrix is None or mask is None or matrix.shape != (3, 3):
        return None
    return mask.ravel().astype(bool)


def _cells(points: Points, height: int, width: int) -> NDArray[np.intp]:
    across = np.minimum(points[:, 0] * _ACROSS / width, _ACROSS - 1).astype(np.intp)
    down = np.minimum(points[:, 1] * _DOWN / height, _DOWN - 1).astype(np.intp)
    return down * _ACROSS + across

"""VBench's consistency over a clip that streams by: the first vector, the last, and a sum."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor
from torch.nn import functional

from dqa.channels.benchmark.vbench.replay import Replay
from dqa.channels.benchmark.vbench.values import given
from dqa.channels.benchmark.view import Finding
from dqa.clip.frame import Frame
from dqa.models.vision.tower import ImageTower
from dqa.record import Evidence


class RunningConsistency:
    """The mean over t >= 1 of (s(t, t-1) + s(t, 0)) / 2 with s = max(0, cosine) (vbench/subject_consistency.py).

    Attributes:
        count: pairs so far.
        worst: the cosine of the neighbours that are least alike, and the second of them.
    """

    def __init__(self) -> None:
        self.count = 0
        self.worst: tuple[float, Frame | None] = (2.0, None)
        self._sum = 0.0
        self._first: Tensor | None = None
        self._former: Tensor | None = None

    def offer(self, frames: list[Frame], rows: Tensor) -> None:
        """The next frames with their n x d unit vectors."""
        for frame, row in zip(frames, rows.split(1), strict=True):
            if self._first is None or self._former is None:
                self._first = row
            else:
                self._add(frame, _alike(self._former, row), _alike(self._first, row))
            self._former = row

    def _add(self, frame: Frame, before: float, first: float) -> None:
        self._sum += (before + first) / 2
        self.count += 1
        if before < self.worst[0]:
            self.worst = (before, frame)

    @property
    def value(self) -> float:
        """The mean so far, 0..1; raises ``ZeroDivisionError`` before there is a pair."""
        return self._sum / self.count


def _alike(one: Tensor, other: Tensor) -> float:
    return max(0.0, float(functional.cosine_similarity(one, other).item()))


@torch.inference_mode()
def consistency(clip: Replay, lender: Callable[[], AbstractContextManager[ImageTower]], name: str) -> Finding:
    """VBench's number for one clip by an encoder's vectors of all frames."""
    running = RunningConsistency()
    with lender() as tower:
        for chunk in clip.chunks():
            running.offer(chunk, tower.vectors([frame.image for frame in chunk], antialias=False))
    alike, frame = running.worst
    worst: tuple[Evidence, ...] = ()
    if frame is not None:
        text = f"least like the frame before: {100 * alike:.1f} %"
        worst = (Evidence(text=text, frame=frame.index, time_s=(frame.time_s, frame.time_s)),)
    return given(name, running.value, f"over {running.count} pairs of neighbours", worst)

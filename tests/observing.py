"""Clips as frames in memory, and observations of frames that no file holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from dqa.clip.frame import Frame, Image
from dqa.measure.observation import Observation
from dqa.measure.observe import observe
from dqa.measure.signals import SignalCollector, Signals
from dqa.record import Media


def read_frames(path: Path, width: int | None = None) -> list[Image]:
    """Every frame of a clip, scaled down to ``width``."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    if width is None or frames[0].shape[1] <= width:
        return frames
    size = (width, round(frames[0].shape[0] * width / frames[0].shape[1] / 2) * 2)
    return [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]


def timed(images: Iterable[Image], fps: float) -> list[Frame]:
    return [Frame(i, i / fps, image) for i, image in enumerate(images)]


def observed(images: Sequence[Image], fps: float = 16.0, kind: str = "video") -> Observation:
    """What one decode of these frames would leave behind."""
    height, width = images[0].shape[:2]
    facts = Media.model_validate(
        {
            "sha256": "0" * 64,
            "kind": kind,
            "width": width,
            "height": height,
            "fps": fps,
            "frames": len(images),
            "duration_s": len(images) / fps if kind == "video" else 0.0,
            "corrupt_packets": 0,
        }
    )
    return observe(timed(images, fps), lambda: facts)


def measured(images: Iterable[Image], fps: float = 16.0) -> Signals:
    collector = SignalCollector()
    for frame in timed(images, fps):
        collector.offer(frame)
    return collector.signals()


def texture(height: int = 120, width: int = 160, seed: int = 0) -> Image:
    """A smooth random picture with something everywhere: flow can follow it."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(20, 235, (height // 10, width // 10, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def gliding(count: int = 16, step: float = 2.0, size: tuple[int, int] = (120, 160)) -> list[Image]:
    """A window that glides over a texture, ``step`` px to the left a frame."""
    height, width = size
    wide = texture(height, width + int(count * step) + 10)
    return [
        cv2.warpAffine(wide, np.array([[1.0, 0, -i * step], [0, 1, 0]]), (width, height), flags=cv2.INTER_LINEAR)
        for i in range(count)
    ]

"""Twelve ways to spoil a clip: pure functions from RGB frames and a frame rate to RGB frames.

Each returns new frames of the same size; all but the cut and the morph keep the number of frames. ``other`` is a
second clip, of any size. Random ones are seeded by the clip's length, so a run repeats exactly.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from fractions import Fraction

import av
import cv2
import numpy as np

from dqa.clip.frame import Image

Frames = list[Image]
Degradation = Callable[[Sequence[Image], float, Sequence[Image]], Frames]


def _rng(frames: Sequence[Image]) -> np.random.Generator:
    return np.random.default_rng(len(frames))


def noise(frames: Sequence[Image], _fps: float, _other: Sequence[Image]) -> Frames:
    """White grain of 15 levels, new in every frame."""
    rng = _rng(frames)
    return [np.clip(f + rng.normal(0, 15, f.shape), 0, 255).astype(np.uint8) for f in frames]


def flicker(frames: Sequence[Image], _fps: float, _other: Sequence[Image]) -> Frames:
    """The whole frame 20 % brighter or darker at random, new in every frame."""
    gains = _rng(frames).uniform(0.8, 1.2, len(frames))
    return [np.clip(f * gain, 0, 255).astype(np.uint8) for f, gain in zip(frames, gains, strict=True)]


def frame_drops(frames: Sequence[Image], _fps: float, _other: Sequence[Image]) -> Frames:
    """Every fifth frame is lost, and the one before it shown instead."""
    return [frames[i - 1] if i % 5 == 4 else f for i, f in enumerate(frames)]


def judder(frames: Sequence[Image], _fps: float, _other: Sequence[Image]) -> Frames:
    """Every second frame repeats the one before it: half the frame rate in the same time."""
    return [frames[i - i % 2] for i in range(len(frames))]


def half_frozen(frames: Sequence[Image], _fps: float, _other: Sequence[Image]) -> Frames:
    """The second half stands still."""
    stop = len(frames) // 2
    return [frames[min(i, stop)] for i in range(len(frames))]


def static(frames: Sequence[Image], _fps: float, _other: Sequence[Image]) -> Frames:
    """The first frame throughout."""
    return [frames[0] for _ in frames]


def shuffled(frames: Sequence[Image], _fps: float, _other: Sequence[Image]) -> Frames:
    """All frames in random order."""
    return [frames[i] for i in _rng(frames).permutation(len(frames))]


def blur(frames: Sequence[Image], _fps: float, _other: Sequence[Image]) -> Frames:
    """A Gaussian blur of 0.5 % of the short side (2.4 px at 480p)."""
    sigma = max(1.0, 0.005 * min(frames[0].shape[:2]))
    return [cv2.GaussianBlur(f, (0, 0), sigma) for f in frames]


def compression(frames: Sequence[Image], fps: float, _other: Sequence[Image]) -> Frames:
    """H.264 at constant rate factor 45."""
    return encoded(frames, fps, crf=45)


def wobble(frames: Sequence[Image], _fps: float, _other: Sequence[Image]) -> Frames:
    """A random shift of up to 1 % of the short side, new in every frame."""
    height, width = frames[0].shape[:2]
    reach = max(2.0, 0.01 * min(height, width))
    shifts = _rng(frames).uniform(-reach, reach, (len(frames), 2))
    return [
        cv2.warpAffine(f, np.array([[1, 0, x], [0, 1, y]]), (width, height), borderMode=cv2.BORDER_REPLICATE)
        for f, (x, y) in zip(frames, shifts, strict=True)
    ]


def cut(frames: Sequence[Image], _fps: float, other: Sequence[Image]) -> Frames:
    """Half way, a cut to another clip."""
    half = len(frames) // 2
    return [*frames[:half], *_fitted(other, frames)[half : len(frames)]]


def morph(frames: Sequence[Image], _fps: float, other: Sequence[Image]) -> Frames:
    """Over the middle third, a cross-dissolve into another clip."""
    count, second = len(frames), _fitted(other, frames)
    shares = np.clip((np.arange(count) - count / 3) / (count / 3), 0, 1)
    return [cv2.addWeighted(a, 1 - share, b, share, 0) for a, b, share in zip(frames, second, shares, strict=True)]


DEGRADATIONS: dict[str, Degradation] = {
    "noise": noise,
    "flicker": flicker,
    "frame drops": frame_drops,
    "judder": judder,
    "half frozen": half_frozen,
    "static": static,
    "shuffled": shuffled,
    "blur": blur,
    "compression": compression,
    "wobble": wobble,
    "cut": cut,
    "morph": morph,
}


RESPONSIBLE: dict[str, tuple[str, ...]] = {
    "noise": ("imaging_quality",),
    "flicker": ("temporal_flickering",),
    "frame drops": ("frame_continuity", "motion_smoothness"),
    "judder": ("frame_continuity", "motion_smoothness"),
    "half frozen": ("frame_continuity",),
    "static": ("frame_continuity",),
    "shuffled": ("motion_smoothness", "shot_integrity"),
    "blur": ("imaging_quality",),
    "compression": ("imaging_quality",),
    "wobble": ("motion_smoothness",),
    "cut": ("shot_integrity",),
    "morph": ("shot_integrity", "subject_consistency", "background_consistency"),
}
"""The benchmark dimensions, one of which must be named as the reason."""


def encoded(frames: Sequence[Image], fps: float, crf: int) -> Frames:
    """The frames after H.264 at ``crf`` (0 lossless .. 51 worst); odd sizes lose their last row or column."""
    buffer = io.BytesIO()
    height, width = (side - side % 2 for side in frames[0].shape[:2])
    with av.open(buffer, "w", format="mp4") as container:
        # Without cpu-independent the encoder's choices differ from run to run, whatever the threads.
        options = {"crf": str(crf), "x264-params": "threads=1:cpu-independent=1"}
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:height, :width]))):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    buffer.seek(0)
    with av.open(buffer) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def _fitted(other: Sequence[Image], frames: Sequence[Image]) -> Frames:
    """``other`` stretched to the size of ``frames`` and repeated to at least their number."""
    height, width = frames[0].shape[:2]
    scaled = [cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA) for f in other[: len(frames)]]
    return [scaled[i % len(scaled)] for i in range(len(frames))]

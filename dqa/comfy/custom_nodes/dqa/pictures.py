"""ComfyUI's tensors as files that the service opens."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from .errors import DQAProblem

_CRF = "8"
"""Of x264: visually lossless, so that what is judged is the generator's work and not the encoder's."""
_FRAMES_ONLY = "VideoFromComponents"
"""ComfyUI's class of a VIDEO that no file is behind."""


def frame_count(images: Any) -> int:
    """How many pictures a batch ``[frames, height, width, channels]`` holds.

    Raises:
        DQAProblem: it is no such batch, or empty.
    """
    shape = tuple(getattr(images, "shape", ()))
    if len(shape) != 4 or shape[3] not in (1, 3, 4) or not all(shape):
        raise DQAProblem("the images are no batch of pictures; connect an IMAGE output.")
    return int(shape[0])


def as_png(images: Any) -> bytes:
    """The first picture of a batch, exactly as SaveImage would write its pixels, and without any metadata."""
    from PIL import Image

    frame_count(images)
    out = io.BytesIO()
    Image.fromarray(_pixels(images[0])).save(out, format="PNG", compress_level=4)
    return out.getvalue()


def write_mp4(images: Any, fps: float, path: str, tick: Callable[[], None]) -> None:
    """A batch as H.264 in mp4, a frame at a time.

    Args:
        images: float values in [0, 1].
        fps: frames a second.
        path: the file to write.
        tick: called before each frame; may raise to stop.
    """
    import av

    count = frame_count(images)
    if not (math.isfinite(fps) and 0.1 <= fps <= 1000):
        raise DQAProblem("fps must lie between 0.1 and 1000; give the rate that the frames are shown at.")
    with av.open(path, mode="w") as container:
        rate = Fraction(fps).limit_denominator(1001)
        stream: Any = container.add_stream("libx264", rate=rate, options={"crf": _CRF, "preset": "veryfast"})
        stream.height, stream.width = int(images.shape[1]), int(images.shape[2])
        stream.pix_fmt = "yuv444p"  # the colours of every pixel, and odd sizes too
        for number in range(count):
            tick()
            frame = av.VideoFrame.from_ndarray(_pixels(images[number]), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def save_video(video: Any, path: str, tick: Callable[[], None]) -> None:
    """A VIDEO as mp4.

    ComfyUI would encode frames for looks rather than for judgement, and only in even sizes. It copies packets of mp4
    well, those of Matroska not all, those of webm and gif not at all.

    Args:
        video: what a VIDEO output gives.
        path: the file to write.
        tick: called before each frame that is encoded; may raise to stop.

    Raises:
        DQAProblem: it can't be read.
    """
    from av.error import FFmpegError

    try:
        if _is_mp4(video):
            video.save_to(path)
            return
        made = video.get_components()
    except (ValueError, FFmpegError):
        raise DQAProblem("the video can't be read; connect one that ComfyUI can play.") from None
    write_mp4(made.images, float(made.frame_rate), path, tick)


def _is_mp4(video: Any) -> bool:
    if type(video).__name__ == _FRAMES_ONLY:
        return False
    # ComfyUI before 0.3.46 does not say what the file is, and copied any.
    container = getattr(video, "get_container_format", None)
    return container is None or "mp4" in container().split(",")


def _pixels(image: Any) -> Any:
    """One picture as ``[height, width, 3]`` of 8-bit RGB, rounded down as ComfyUI's own nodes do."""
    import numpy as np

    values = np.asarray(image.cpu().float() if hasattr(image, "cpu") else image, dtype=np.float32)
    values = np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values[:, :, :3]
    return np.ascontiguousarray((np.clip(np.nan_to_num(values), 0, 1) * 255.0).astype(np.uint8))

"""Single frames of a clip as JPEG, for the HTTP frame server and for reports."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

import cv2

from dqa.clip.clip import Clip
from dqa.clip.frame import Frame, Image
from dqa.clip.limits import Limits
from dqa.clip.representative import representative_index
from dqa.clip.sampling import resized, still_sampler
from dqa.errors import MediaNotFound

_QUALITY = 90
# The size of the stills: the representative is chosen among the very frames that an evaluation sees.
_STILL_SIDE = 1280


def frame_jpeg(
    path: str | os.PathLike[str],
    which: int | Literal["representative"],
    limits: Limits,
    roots: Sequence[Path] | None = None,
    max_side: int | None = None,
) -> bytes:
    """One frame as a JPEG file.

    Decoding stops at the frame asked for, and frames before it are neither converted nor sent.

    Args:
        path: the clip; see :func:`dqa.clip.guard.resolve_media`.
        which: the frame's index in display order, or the frame that stands for the clip.
        limits: how much to read at most.
        roots: folders it must lie in; None for the operator's own choice.
        max_side: long side of the picture at most, in pixels; None keeps the full resolution.

    Raises:
        MediaNotFound: no such file, or no frame of that index.
        InputError: as :meth:`dqa.clip.clip.Clip.open` and :meth:`~dqa.clip.clip.Clip.frames`.
    """
    clip = Clip.open(path, limits, roots)
    if which == "representative":
        return encode_jpeg(_representative(clip, max_side).image)
    return encode_jpeg(_frame(clip, which, max_side).image)


def encode_jpeg(image: Image, quality: int = _QUALITY) -> bytes:
    """An RGB image as a JPEG file."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("the image can't be written as JPEG")
    return data.tobytes()


def _frame(clip: Clip, index: int, max_side: int | None) -> Frame:
    if index >= 0:
        with closing(clip.frames(max_side, first=index)) as frames:
            frame = next(frames, None)
        if frame is not None:
            return frame
    raise MediaNotFound(f"the clip has no frame {index}", fix="frames count from 0", where=str(clip.path))


def _representative(clip: Clip, max_side: int | None) -> Frame:
    sampler = still_sampler()
    for frame in clip.frames(_STILL_SIDE):
        sampler.offer(frame)
    stills = sampler.frames()
    chosen = stills[representative_index(stills)]
    if max_side is not None and max_side <= _STILL_SIDE:
        return resized(chosen, max_side=max_side)
    # Larger than the stills are: decode that one frame again at the size asked for.
    return chosen if chosen.scale == 1.0 else _frame(clip, chosen.index, max_side)

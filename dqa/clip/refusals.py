"""The decoder's words for what is wrong, as errors that say how to mend it."""

from __future__ import annotations

from collections.abc import Callable

from dqa.clip.container import FORMATS
from dqa.clip.limits import Limits
from dqa.clip.protocol import Code
from dqa.errors import InputError, MediaTooLarge, Undecodable, UnsupportedMedia

_Build = Callable[[Limits, str], InputError]

_BUILD: dict[Code, _Build] = {
    Code.NO_VIDEO: lambda _, where: UnsupportedMedia(
        "there is no video in the file", fix=f"give an {FORMATS} file", where=where
    ),
    Code.BROKEN: lambda _, where: Undecodable(
        "the file is damaged and can't be decoded", fix="export or download it again", where=where
    ),
    Code.NO_FRAMES: lambda _, where: Undecodable(
        "not one frame of the file can be decoded", fix="export or download it again", where=where
    ),
    Code.TOO_SMALL: lambda limits, where: InputError(
        "the picture is too small to be judged",
        fix=f"give one of at least {limits.min_side} x {limits.min_side} pixels",
        where=where,
    ),
    Code.TOO_MANY_PIXELS: lambda limits, where: MediaTooLarge(
        "the picture has too many pixels",
        fix=f"give at most {limits.max_pixels / 1e6:.1f} million a frame, or raise DQA_MAX_PIXELS",
        where=where,
    ),
    Code.TOO_MANY_FRAMES: lambda limits, where: MediaTooLarge(
        "the clip has too many frames",
        fix=f"give at most {_frames_allowed(limits)}, or raise DQA_MAX_FRAMES",
        where=where,
    ),
    Code.MEMORY: lambda _, where: MediaTooLarge(
        "the file needs more memory than its decoder may have", fix="give a smaller one", where=where
    ),
}


def _frames_allowed(limits: Limits) -> str:
    return f"{limits.max_frames} frames ({limits.max_total_pixels / 1e9:.1f} billion pixels in all)"


def refusal(code: Code, limits: Limits, where: str) -> InputError:
    """The error for a word of the decoder's."""
    return _BUILD[code](limits, where)

"""How much of a media file DQA is ready to read."""

from __future__ import annotations

from dataclasses import dataclass

from dqa.config import Settings

_FULL_HD = 1920 * 1080
_TOTAL_PIXELS = 20_000 * _FULL_HD


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one media file; what exceeds one is refused, before it is decoded wherever its header tells.

    Attributes:
        max_bytes: largest file.
        max_pixels: largest frame, width x height.
        max_frames: most frames in one clip.
        max_total_pixels: most pixels over all frames; by default ``max_frames`` hold up to full HD and
            fewer beyond (a bomb can hide in either factor).
        min_side: shortest side, in pixels, that can still be judged.
        timeout_s: longest that reading may wait for the decoder, in seconds, over the whole clip. Time the
            reader itself spends between frames does not count.
        memory_bytes: address space of the decoder process.
    """

    max_bytes: int = 2048 * 1_000_000
    max_pixels: int = 3840 * 2160 * 2
    max_frames: int = 20_000
    max_total_pixels: int = _TOTAL_PIXELS
    min_side: int = 16
    timeout_s: float = 300.0
    memory_bytes: int = 3 * 2**30

    @classmethod
    def from_settings(cls, settings: Settings) -> Limits:
        """The limits the operator set."""
        return cls(
            max_bytes=int(settings.max_media_mb * 1_000_000),
            max_pixels=settings.max_pixels,
            max_frames=settings.max_frames,
            max_total_pixels=max(_TOTAL_PIXELS, settings.max_frames * _FULL_HD),
            timeout_s=settings.decode_timeout_s,
        )

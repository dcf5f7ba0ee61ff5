"""One decode for all channels: the frames of a clip pass once, and what the channels need of them stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dqa.clip.frame import Frame
from dqa.clip.representative import representative_index
from dqa.clip.sampling import still_sampler, track_sampler
from dqa.errors import Undecodable
from dqa.measure.arithmetic import settle_arithmetic
from dqa.measure.observation import Observation
from dqa.measure.signals import SignalCollector
from dqa.record import Media


def observe(
    frames: Iterable[Frame],
    media: Callable[[], Media],
    progress: Callable[[int], None] | None = None,
    replay: Callable[[], Iterable[Frame]] | None = None,
) -> Observation:
    """Measures a clip in one pass.

    Args:
        frames: every frame of the clip in display order; consumed once, never held.
        media: gives the clip's facts once the frames are through (only then are they counted).
        progress: told how many frames have passed, after each; what it raises ends the pass.
        replay: gives the frames again; see :class:`~dqa.measure.observation.Observation`.

    Raises:
        Undecodable: there was not one frame.
    """
    settle_arithmetic()
    signals = SignalCollector()
    stills, track = still_sampler(), track_sampler()
    count = 0
    for count, frame in enumerate(frames, start=1):
        for reader in (signals, stills, track):
            reader.offer(frame)
        if progress is not None:
            progress(count)
    if not count:
        raise Undecodable("not one frame could be decoded", fix="export the clip again, or give another file")
    kept = tuple(stills.frames())
    return Observation(media(), kept, tuple(track.frames()), representative_index(kept), signals.signals(), replay)

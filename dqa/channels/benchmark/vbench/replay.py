"""A clip read once more, every frame at its own size, as VBench reads it; some frames in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator

from dqa.clip.frame import Frame
from dqa.errors import UnavailableError
from dqa.measure.observation import Observation
from dqa.measure.signals import Signals

CHUNK = 16
"""Frames handed to a model at once: memory does not grow with the clip."""


class Replay:
    """What parity looks at.

    Args:
        observation: the clip, decoded once; its ``replay`` is asked for on each pass.
    """

    def __init__(self, observation: Observation) -> None:
        self._observation = observation

    @property
    def signals(self) -> Signals:
        """What was measured in the first decode."""
        return self._observation.signals

    @property
    def fps(self) -> float:
        """Frames per second, by the container."""
        return self._observation.media.fps

    @property
    def short_side(self) -> int:
        """Of the frames, in pixels."""
        return min(self._observation.media.width, self._observation.media.height)

    def sampled(self, every: int) -> int:
        """How many frames :meth:`frames` gives."""
        return -(-self._observation.media.frames // every)

    def frames(self, every: int = 1) -> Iterator[Frame]:
        """Every ``every``-th frame from the first on, by one more decode.

        Raises:
            UnavailableError: the frames came from no file.
            InputError: the file changed since.
        """
        if self._observation.replay is None:
            raise UnavailableError(
                "VBench's own numbers need every frame once more, and these came from no file",
                fix="evaluate the media file itself",
            )
        for frame in self._observation.replay():
            if frame.index % every == 0:
                yield frame

    def chunks(self) -> Iterator[list[Frame]]:
        """All frames, :data:`CHUNK` at a time."""
        chunk: list[Frame] = []
        for frame in self.frames():
            chunk.append(frame)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

"""Real clips of a second, for tests that something works on them and not what it finds."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import av


def shortened(source: Path, target: Path, frames: int = 17) -> Path:
    """Writes the first frames of a clip as they are encoded, in the order in which they depend on each other."""
    with av.open(str(source)) as given, av.open(str(target), "w") as container:
        taken = given.streams.video[0]
        stream = container.add_stream_from_template(taken)
        for packet in islice(given.demux(taken), frames):
            packet.stream = stream
            container.mux(packet)
    return target

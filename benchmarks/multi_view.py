"""What multi-view geometry makes of clips: ``python -m benchmarks.multi_view [FOLDER]``.

First a synthetic rigid scene whose texture melts more and more, where every broken match is the scene's fault; then
each clip of the folder, without a judge to say whether something moves on its own.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from dqa.channels.benchmark import multi_view_geometry as geometry
from dqa.channels.benchmark.view import View
from dqa.clip.clip import Clip
from dqa.clip.limits import Limits
from dqa.measure.observation import Observation
from dqa.measure.observe import observe
from dqa.models.roles import ImageEncoder
from tests.conftest import CLIPS
from tests.observing import observed
from tests.rigid_scenes import going_around


def no_encoder() -> ImageEncoder:
    raise AssertionError("geometry asks for no features")


def show(name: str, observation: Observation, *, rigid: bool = False) -> bool:
    """Prints a line; whether the clip was judged."""
    began = time.process_time()
    view = View(observation, no_encoder)
    finding = geometry.measure(view, rigid=rigid)
    seconds = time.process_time() - began
    pairs = geometry.pairs(view)
    told = [
        f"{np.median([getattr(p, k) for p in pairs]) if pairs else np.nan:.2f}" for k in ("fitting", "moving", "own")
    ]
    score = "-" if finding.score is None else f"{finding.score:.2f}"
    print(f"{name:24} fitting/moving/own {' '.join(told)}  score {score:5} {seconds:.1f} CPU s  {finding.reason}")
    return finding.score is not None


def main() -> None:
    for melt in (0.0, 0.4, 0.8, 1.5, 3.0):
        show(f"melting by {melt} px", observed(going_around(12, 3.0, melt), 8.0), rigid=True)
    clips = sorted(Path(sys.argv[1] if len(sys.argv) > 1 else CLIPS).glob("*.mp4"))
    judged = 0
    for path in clips:
        clip = Clip.open(path, Limits())
        judged += show(path.name, observe(clip.frames(), lambda clip=clip: clip.media))
    print(f"{judged} of {len(clips)} clips judged")


if __name__ == "__main__":
    main()

"""VBench's temporal_flickering: the mean difference of neighbouring frames, whatever it comes from."""

from __future__ import annotations

from dqa.channels.benchmark.temporal_flickering import vbench_flickering
from dqa.channels.benchmark.vbench.models import Models
from dqa.channels.benchmark.vbench.replay import Replay
from dqa.channels.benchmark.vbench.values import given
from dqa.channels.benchmark.view import Finding


def parity(clip: Replay, models: Models) -> Finding:
    """VBench's number (vbench/temporal_flickering.py); measured in the first decode, over all pairs at their size."""
    del models
    pairs = clip.signals.frames - 1
    how = f"over {pairs} pairs of frames; meant for shots that should stand still"
    return given("temporal_flickering", vbench_flickering(clip.signals), how)

"""VBench's background_consistency: CLIP B/32's vectors of all frames; it calls the whole frame background."""

from __future__ import annotations

from dqa.channels.benchmark.vbench.models import Models
from dqa.channels.benchmark.vbench.replay import Replay
from dqa.channels.benchmark.vbench.running import consistency
from dqa.channels.benchmark.view import Finding


def parity(clip: Replay, models: Models) -> Finding:
    """VBench's number (vbench/background_consistency.py), in chunks: VBench takes the whole clip as one batch."""
    return consistency(clip, models.clip_b32, "background_consistency")

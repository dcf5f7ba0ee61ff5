"""VBench's subject_consistency: DINO's vectors of all frames, each against the one before and the first."""

from __future__ import annotations

from dqa.channels.benchmark.vbench.models import Models
from dqa.channels.benchmark.vbench.replay import Replay
from dqa.channels.benchmark.vbench.running import consistency
from dqa.channels.benchmark.view import Finding


def parity(clip: Replay, models: Models) -> Finding:
    """VBench's number (vbench/subject_consistency.py)."""
    return consistency(clip, models.dino, "subject_consistency")

"""The backend's dimensions by name: those judged in its own mode, and VBench's numbers. A new one is a line here."""

from __future__ import annotations

from collections.abc import Callable

from dqa.channels.benchmark.dimensions import DIMENSIONS
from dqa.channels.benchmark.vbench import (
    aesthetic_quality,
    background_consistency,
    dynamic_degree,
    licensed,
    subject_consistency,
    temporal_flickering,
)
from dqa.channels.benchmark.vbench.models import Models
from dqa.channels.benchmark.vbench.replay import Replay
from dqa.channels.benchmark.view import Finding, Measure

Parity = Callable[[Replay, Models], Finding]

OWN: dict[str, Measure] = {
    **DIMENSIONS,
    "dynamic_degree": dynamic_degree.measure,
    "aesthetic_quality": aesthetic_quality.measure,
}
"""The measured dimensions, two of them by other models: consistency asks DINO and CLIP, motion RAFT; and looks."""

PARITY: dict[str, Parity] = {
    "subject_consistency": subject_consistency.parity,
    "background_consistency": background_consistency.parity,
    "temporal_flickering": temporal_flickering.parity,
    "motion_smoothness": licensed.motion_smoothness,
    "dynamic_degree": dynamic_degree.parity,
    "aesthetic_quality": aesthetic_quality.parity,
    "imaging_quality": licensed.imaging_quality,
}
"""The seven of the leaderboard's quality."""

"""The dimensions by name. A new one is a file here and a line below."""

from __future__ import annotations

from dqa.channels.benchmark import (
    background_consistency,
    dynamic_degree,
    frame_continuity,
    imaging_quality,
    motion_smoothness,
    shot_integrity,
    subject_consistency,
    temporal_flickering,
)
from dqa.channels.benchmark.view import Measure

DIMENSIONS: dict[str, Measure] = {
    "frame_continuity": frame_continuity.measure,
    "shot_integrity": shot_integrity.measure,
    "temporal_flickering": temporal_flickering.measure,
    "motion_smoothness": motion_smoothness.measure,
    "imaging_quality": imaging_quality.measure,
    "subject_consistency": subject_consistency.measure,
    "background_consistency": background_consistency.measure,
    "dynamic_degree": dynamic_degree.measure,
}
"""Of two that score alike, the first is named first: the detectors say more exactly what is wrong."""

ASPECTS: dict[str, tuple[str, ...]] = {
    "semantic_consistency": ("background_consistency", "shot_integrity"),
    "temporal_coherence": ("temporal_flickering", "frame_continuity", "shot_integrity"),
    "subject_consistency": ("subject_consistency",),
    "motion_smoothness": ("motion_smoothness", "dynamic_degree"),
}
"""The four aspects of the benchmark channel, each the soft minimum of the dimensions that speak on it."""

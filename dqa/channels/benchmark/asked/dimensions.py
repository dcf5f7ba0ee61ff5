"""The asked dimensions by name. A new one is a file here and a line below."""

from __future__ import annotations

from dqa.channels.benchmark.asked import (
    dynamic_attribute,
    human_clothes,
    human_identity,
    instance_preservation,
    motion_order,
    motion_rationality,
    multi_view,
)
from dqa.channels.benchmark.asked.asking import Asked, dimension

ASKED: dict[str, Asked] = {
    "instance_preservation": dimension(instance_preservation),
    "human_identity": dimension(human_identity),
    "human_clothes": dimension(human_clothes),
    "motion_rationality": dimension(motion_rationality),
    "dynamic_attribute": dimension(dynamic_attribute),
    "motion_order": dimension(motion_order),
    "multi_view_geometry": dimension(multi_view),
}

ASKED_ASPECTS: dict[str, tuple[str, ...]] = {
    "semantic_consistency": ("motion_rationality", "dynamic_attribute", "motion_order"),
    "temporal_coherence": ("instance_preservation", "multi_view_geometry"),
    "subject_consistency": ("human_identity", "human_clothes"),
    "motion_smoothness": (),
}
"""Which aspect of the benchmark channel (:data:`dqa.channels.benchmark.dimensions.ASPECTS`) each speaks on, too."""

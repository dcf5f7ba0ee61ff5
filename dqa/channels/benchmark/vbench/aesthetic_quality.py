"""Is it good to look at? LAION's aesthetic head on CLIP L/14: VBench's mean over all frames, or over a few stills."""

from __future__ import annotations

import math

import numpy as np

from dqa.channels.benchmark.vbench.models import Models
from dqa.channels.benchmark.vbench.replay import Replay
from dqa.channels.benchmark.vbench.values import given
from dqa.channels.benchmark.vbench.view import VBenchView
from dqa.channels.benchmark.view import Finding, View
from dqa.channels.scales import rising
from dqa.record import Evidence


def measure(view: View) -> Finding:
    """Ours: raw, the mean rating of stills by tenths, 0.1..1. Score: half at a rating of 5, 0.75 at 6, 0.88 at 7.

    The scale is not fitted to people's acceptance; the ratings it was trained on run from 1 to 10 with a mean near 5.
    """
    assert isinstance(view, VBenchView)  # noqa: S101 - the backend builds no other
    ratings = view.ratings
    mean, at = float(ratings.values.mean()), int(np.argmin(ratings.values))
    worst = ratings.frames[at]
    text = f"rated {mean:.1f} of 10 for looks, over {len(ratings.frames)} stills"
    evidence = Evidence(
        text=f"rated lowest: {ratings.values[at]:.1f} of 10",
        frame=worst.index,
        time_s=(worst.time_s, worst.time_s),
    )
    return Finding(rising(mean / 10, 0.5, 6.0), mean / 10, text, (evidence,))


def parity(clip: Replay, models: Models) -> Finding:
    """VBench's number: the mean over all frames of the rating by tenths (vbench/aesthetic_quality.py)."""
    ratings: list[float] = []
    with models.aesthetic_head() as head, models.clip_l14() as tower:
        for chunk in clip.chunks():
            rows = tower.vectors([frame.image for frame in chunk], antialias=False)
            ratings += head.ratings(rows).tolist()
    return given("aesthetic_quality", math.fsum(ratings) / len(ratings) / 10, f"over {len(ratings)} frames")

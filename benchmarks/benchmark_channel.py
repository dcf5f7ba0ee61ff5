"""The benchmark channel on one decode, against its dimensions one after the other with a decode each (as VBench does).

    python -m benchmarks.benchmark_channel [--clip FILE] [--rounds N] [--json]

Both in one run, models loaded, on a 5 s 720p clip made here from a real one (or on FILE). Alone, each dimension decodes
the clip and measures only what it needs itself; the ratio must be at most 0.5. Wall time, and CPU time beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import torch

from benchmarks.degradations import CLIPS
from benchmarks.speed import five_seconds_720p
from dqa.channels.benchmark.dimensions import DIMENSIONS
from dqa.channels.benchmark.view import View
from dqa.channels.contract import EvaluationContext
from dqa.channels.registry import build_channel
from dqa.clip.clip import Clip
from dqa.clip.limits import Limits
from dqa.clip.sampling import still_sampler, track_sampler
from dqa.measure.observation import Observation
from dqa.measure.observe import observe
from dqa.measure.signals import Part, SignalCollector
from dqa.models.pool import ModelPool
from dqa.models.profiles import load_profile
from dqa.prompt.parse import Prompt

ENCODER = "efficientnet-lite0"
MOTION: frozenset[Part] = frozenset({"motion"})
NEEDS: dict[str, tuple[frozenset[Part], bool]] = {
    "frame_continuity": (frozenset(), False),
    "shot_integrity": (frozenset(), True),
    "temporal_flickering": (MOTION, False),
    "motion_smoothness": (frozenset({"motion", "interpolation"}), False),
    "imaging_quality": (frozenset({"looks"}), False),
    "subject_consistency": (frozenset(), True),
    "background_consistency": (frozenset(), True),
    "dynamic_degree": (MOTION, False),
}
"""Per dimension: which measurements it takes, and whether it follows features over the track."""


def alone(name: str, path: Path, pool: ModelPool) -> float | None:
    """One dimension with a decode of its own; its score."""
    parts, follows = NEEDS[name]
    clip, collector, track, stills = Clip.open(path, Limits()), SignalCollector(parts), track_sampler(), still_sampler()
    for frame in clip.frames():
        collector.offer(frame)
        if follows:
            track.offer(frame)
    observation = Observation(clip.media, stills.frames(), track.frames(), 0, collector.signals())
    return DIMENSIONS[name](View(observation, lambda: pool.get(ENCODER))).score


def together(path: Path, pool: ModelPool) -> dict[str, float | None]:
    """All dimensions on one decode, as the evaluator runs them; their scores."""
    clip = Clip.open(path, Limits())
    observation = observe(clip.frames(), lambda: clip.media)
    channel = build_channel("benchmark", pool.profile.channels["benchmark"], pool)
    result = channel.evaluate(observation, Prompt("-"), EvaluationContext())
    return {name: dimension.score for name, dimension in (result.dimensions or {}).items()}


def spent(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What ``work`` returns, and the wall and CPU seconds it took, its child processes included."""
    wall, cpu = time.perf_counter(), _cpu()
    result = work()
    return result, time.perf_counter() - wall, _cpu() - cpu


def _cpu() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _alone(path: Path, pool: ModelPool) -> dict[str, tuple[Any, float, float]]:
    return {name: spent(lambda name=name: alone(name, path, pool)) for name in DIMENSIONS}


def measure(path: Path, home: Path, count: int) -> dict[str, Any]:
    pool = ModelPool(load_profile("embedded"), home)
    scores = together(path, pool)  # loads the model and warms the file up
    singles = {name: row[0] for name, row in _alone(path, pool).items()}
    assert singles == scores, "alone and together must judge alike"
    rounds = [(spent(lambda: together(path, pool)), _alone(path, pool)) for _ in range(count)]
    # The best of a few rounds, for either side: what else the machine does must not decide.
    wall, cpu = (min(whole[i] for whole, _ in rounds) for i in (1, 2))
    rows = {n: [None, *(min(singles[n][i] for _, singles in rounds) for i in (1, 2))] for n in DIMENSIONS}
    walls, cpus = (sum(row[i] for row in rows.values()) for i in (1, 2))
    return {
        "together": {"wall_s": wall, "cpu_s": cpu},
        "alone": {name: {"wall_s": row[1], "cpu_s": row[2]} for name, row in rows.items()},
        "sum_alone": {"wall_s": walls, "cpu_s": cpus},
        "ratio_wall": wall / walls,
        "ratio_cpu": cpu / cpus,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = options.clip or Path(folder) / "clip.mp4"
        if options.clip is None:
            five_seconds_720p(CLIPS / "wan21_01_flex.mp4", path)
        figures = measure(path, Path(folder), options.rounds)
    print(json.dumps(figures) if options.json else report(figures))


def report(figures: dict[str, Any]) -> str:
    lines = [f"{'':26}{'wall s':>8}{'CPU s':>8}"]
    sums = {"sum, a decode each": figures["sum_alone"], "together, one decode": figures["together"]}
    for name, row in {**figures["alone"], **sums}.items():
        lines.append(f"{name:26}{row['wall_s']:8.2f}{row['cpu_s']:8.2f}")
    return "\n".join([*lines, f"ratio: wall {figures['ratio_wall']:.2f}, CPU {figures['ratio_cpu']:.2f} (at most 0.5)"])


if __name__ == "__main__":
    main()

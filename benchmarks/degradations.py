"""Twelve degradations of real clips: how far the scores fall, and whether the reason names the dimension at fault.

    python -m benchmarks.degradations [--clips FOLDER] [--frames N] [--json]

Each clip in the folder is judged as it is and after each degradation of tests/degradations.py (the next clip in the
folder is the one cut or morphed into). `together` is benchmark and visionreward in the proportion of their weights.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch

from dqa.channels.contract import Channel, EvaluationContext
from dqa.channels.registry import build_channel
from dqa.clip.frame import Image
from dqa.models.pool import ModelPool
from dqa.models.profiles import load_profile
from dqa.prompt.parse import Prompt
from tests.degradations import DEGRADATIONS, RESPONSIBLE
from tests.observing import observed, read_frames

CLIPS = Path(__file__).parents[1] / "tests" / "data" / "clips"
BENCHMARK_WEIGHT, VISIONREWARD_WEIGHT = 0.20, 0.15


@dataclass(frozen=True)
class Verdict:
    """What both channels say of one version of a clip; ``lowest`` holds its three lowest dimensions."""

    benchmark: float
    visionreward: float
    together: float
    lowest: tuple[str, ...]
    reason: str


def judges(home: Path) -> tuple[Channel, Channel]:
    """The benchmark and the visionreward channel of the embedded profile."""
    profile = load_profile("embedded")
    pool = ModelPool(profile, home)
    return (
        build_channel("benchmark", profile.channels["benchmark"], pool),
        build_channel("visionreward", profile.channels["visionreward"], pool),
    )


def verdicts(
    frames: Sequence[Image], fps: float, other: Sequence[Image], channels: tuple[Channel, Channel]
) -> dict[str, Verdict]:
    """The verdict on the clip (``original``) and on each degradation of it."""
    table = {"original": verdict(frames, fps, channels)}
    return table | {name: verdict(spoil(frames, fps, other), fps, channels) for name, spoil in DEGRADATIONS.items()}


def verdict(frames: Sequence[Image], fps: float, channels: tuple[Channel, Channel]) -> Verdict:
    observation = observed(frames, fps)
    benchmark, reward = (c.evaluate(observation, Prompt("-"), EvaluationContext()) for c in channels)
    assert benchmark.score is not None
    assert reward.score is not None
    assert benchmark.dimensions is not None
    scores = {name: d.score for name, d in benchmark.dimensions.items() if d.score is not None}
    total = BENCHMARK_WEIGHT * benchmark.score + VISIONREWARD_WEIGHT * reward.score
    return Verdict(
        benchmark.score,
        reward.score,
        total / (BENCHMARK_WEIGHT + VISIONREWARD_WEIGHT),
        tuple(sorted(scores, key=lambda name: scores[name])[:3]),
        benchmark.reason,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=CLIPS)
    parser.add_argument("--frames", type=int, default=10_000, help="use the first N frames of each clip")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    paths = sorted(options.clips.glob("*.mp4"))
    rows: dict[str, dict[str, Verdict]] = {}
    with tempfile.TemporaryDirectory() as home:
        channels = judges(Path(home))
        for i, path in enumerate(paths):
            other = read_frames(paths[(i + 1) % len(paths)])
            rows[path.stem] = verdicts(read_frames(path)[: options.frames], 16.0, other, channels)
            if options.json:
                print(json.dumps({"clip": path.stem, **{k: asdict(v) for k, v in rows[path.stem].items()}}), flush=True)
    if not options.json:
        print(table(rows))


def table(rows: dict[str, dict[str, Verdict]]) -> str:
    """Per degradation: in how many clips each score is below the original's, the least and median drop, and named."""
    lines = [f"{'':14}{'benchmark':>11}{'least':>8}{'median':>8}{'together':>11}{'least':>8}{'median':>8}{'named':>9}"]
    fell = 0
    for fault, wanted in RESPONSIBLE.items():
        drops = np.array(
            [
                [r["original"].benchmark - r[fault].benchmark, r["original"].together - r[fault].together]
                for r in rows.values()
            ]
        )
        named = sum(
            any(w in r[fault].lowest and w.replace("_", " ") in r[fault].reason.lower() for w in wanted)
            for r in rows.values()
        )
        below = (drops > 0).sum(axis=0)
        fell += int(below[1])
        lines.append(
            f"{fault:14}{below[0]:>8}/{len(rows)}{drops[:, 0].min():8.3f}{np.median(drops[:, 0]):8.3f}"
            f"{below[1]:>8}/{len(rows)}{drops[:, 1].min():8.3f}{np.median(drops[:, 1]):8.3f}{named:>6}/{len(rows)}"
        )
    lines.append(f"together below the original in {fell} of {len(rows) * len(RESPONSIBLE)} cases")
    lines += [
        f"original {name:16} benchmark {r['original'].benchmark:.3f}  visionreward {r['original'].visionreward:.3f}"
        for name, r in rows.items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

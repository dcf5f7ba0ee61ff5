"""Twelve degradations of real clips: how far the grade falls, and whether the reasoning names the dimension at fault.

    python -m benchmarks.degradations [--clips FOLDER] [--frames N] [--json]

Each clip of the folder's manifest is judged against its prompt as it is and after each degradation of
tests/degradations.py (the next clip is the one cut or morphed into). `final` is the record's, no choices being known.
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

import numpy as np

from dqa.clip.frame import Image
from dqa.config import Settings
from dqa.evaluator import Evaluator
from tests.degradations import DEGRADATIONS, RESPONSIBLE
from tests.observing import observed, read_frames

CLIPS = Path(__file__).parents[1] / "tests" / "data" / "clips"


@dataclass(frozen=True)
class Verdict:
    """What is said of one version of a clip; ``lowest`` holds the benchmark's three lowest dimensions."""

    final: float
    benchmark: float
    lowest: tuple[str, ...]
    reasoning: str

    def names(self, fault: str) -> bool:
        """Whether a dimension responsible for the fault is among the lowest and named in the reasoning."""
        wanted = RESPONSIBLE[fault]
        named = any(name.replace("_", " ") in self.reasoning.lower() for name in wanted)
        return named and any(name in self.lowest for name in wanted)


def verdicts(
    frames: Sequence[Image], fps: float, other: Sequence[Image], prompt: str, evaluator: Evaluator
) -> dict[str, Verdict]:
    """The verdict on the clip (``original``) and on each degradation of it."""
    versions = {name: spoil(frames, fps, other) for name, spoil in DEGRADATIONS.items()}
    return {name: verdict(v, fps, prompt, evaluator) for name, v in {"original": frames, **versions}.items()}


def verdict(frames: Sequence[Image], fps: float, prompt: str, evaluator: Evaluator) -> Verdict:
    record = evaluator.judge(observed(frames, fps), prompt)
    benchmark = record.channels["benchmark"]
    assert record.final is not None
    assert benchmark.score is not None
    assert benchmark.dimensions is not None
    scores = {name: d.score for name, d in benchmark.dimensions.items() if d.score is not None}
    lowest = tuple(sorted(scores, key=lambda name: scores[name])[:3])
    return Verdict(record.final, benchmark.score, lowest, record.reasoning)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=CLIPS)
    parser.add_argument("--frames", type=int, default=10_000, help="use the first N frames of each clip")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    manifest = next(
        p / "manifest.jsonl" for p in (options.clips, options.clips.parent) if (p / "manifest.jsonl").is_file()
    )
    clips = [json.loads(line) for line in manifest.read_text().splitlines()]
    rows: dict[str, dict[str, Verdict]] = {}
    with tempfile.TemporaryDirectory() as home:
        evaluator = Evaluator(Settings(home=Path(home)))
        for clip, following in zip(clips, [*clips[1:], clips[0]], strict=True):
            frames, other = (read_frames(options.clips / c["file"])[: options.frames] for c in (clip, following))
            rows[clip["id"]] = verdicts(frames, 16.0, other, clip["prompt"], evaluator)
            if options.json:
                print(
                    json.dumps({"clip": clip["id"], **{k: asdict(v) for k, v in rows[clip["id"]].items()}}), flush=True
                )
    if not options.json:
        print(table(rows))


def table(rows: dict[str, dict[str, Verdict]]) -> str:
    """Per degradation: in how many clips final and benchmark fell, the least and median drop, and how many named it."""
    lines = [
        f"{'':14}{'final fell':>11}{'least':>8}{'median':>8}{'benchmark':>11}{'least':>8}{'median':>8}{'named':>9}"
    ]
    fell = 0
    for fault in RESPONSIBLE:
        pairs = [(r["original"], r[fault]) for r in rows.values()]
        final, benchmark = (np.array([getattr(a, n) - getattr(b, n) for a, b in pairs]) for n in ("final", "benchmark"))
        fell += int((final > 0).sum())
        lines.append(
            f"{fault:14}{(final > 0).sum():>8}/{len(rows)}{final.min():8.3f}{np.median(final):8.3f}"
            f"{(benchmark > 0).sum():>8}/{len(rows)}{benchmark.min():8.3f}{np.median(benchmark):8.3f}"
            f"{sum(b.names(fault) for _, b in pairs):>6}/{len(rows)}"
        )
    lines.append(f"final below the original's in {fell} of {len(rows) * len(RESPONSIBLE)} cases")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

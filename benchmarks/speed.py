"""Time and memory of grading: one clip cold, one clip with the models loaded, a folder of clips in one batch.

    python benchmarks/speed.py [--clips FOLDER] [--json]

Cold is a fresh `dqa evaluate` process; its peak memory counts the decoding child too. Warm is CPU time of all channels
of a 5 s 720p clip made here from a real one, models loaded, decoding included. The ratio batch / cold is of one run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

CLIPS = Path(__file__).parents[1] / "tests" / "data" / "clips"
DQA = Path(sys.executable).parent / "dqa"


def five_seconds_720p(source: Path, target: Path) -> None:
    """``source`` scaled to 1280 x 720 and played forth and back until 125 frames at 25 fps are there."""
    import av
    import cv2

    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        frames = [cv2.resize(f.to_ndarray(format="rgb24"), (1280, 720)) for f in given.decode(video=0)]
        out = made.add_stream("libx264", rate=Fraction(25), options={"crf": "18"})
        out.width, out.height, out.pix_fmt = 1280, 720, "yuv420p"
        there_and_back = frames + frames[-2:0:-1]
        for i in range(125):
            made.mux(out.encode(av.VideoFrame.from_ndarray(there_and_back[i % len(there_and_back)], format="rgb24")))
        made.mux(out.encode())


def cpu_seconds() -> float:
    """CPU of this process and of its children that have ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def run(*arguments: str, home: str) -> tuple[float, float]:
    """(wall seconds, peak resident MB of the process tree) of one `dqa` command."""
    import psutil

    began, peak = time.perf_counter(), 0
    child = psutil.Popen(
        [str(DQA), *arguments],
        env={**os.environ, "DQA_HOME": home},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while child.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            peak = max(peak, sum(p.memory_info().rss for p in [child, *child.children(recursive=True)]))
        time.sleep(0.05)
    if child.returncode:
        raise SystemExit(f"dqa {arguments[0]} ended with {child.returncode}")
    return time.perf_counter() - began, peak / 1e6


def warm(clip: Path, home: str) -> dict[str, float]:
    """CPU seconds and timings of the second evaluation in one process."""
    from dqa import Evaluator, load_settings

    evaluator = Evaluator(load_settings({"home": home}))
    prompt = "a unicorn running in a garden with a rainbow"
    evaluator.evaluate(clip, prompt)
    began = cpu_seconds()
    record = evaluator.evaluate(clip, prompt)
    return {"cpu_s": cpu_seconds() - began, **{f"{k}_wall_s": v for k, v in record.timings_s.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=CLIPS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    manifest = next(
        p for p in (options.clips / "manifest.jsonl", options.clips.parent / "manifest.jsonl") if p.is_file()
    )
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        home = f"{folder}/home"
        clip = Path(folder) / "five-seconds-720p.mp4"
        five_seconds_720p(options.clips / rows[0]["file"], clip)
        run("evaluate", str(clip), "--prompt", "warm up: bytecode, disk cache, converted weights", home=home)
        cold_s, cold_mb = run("evaluate", str(clip), "--prompt", "a unicorn in a garden", home=home)
        lines = [
            json.dumps({"id": r["id"], "media": str((options.clips / r["file"]).resolve()), "prompt": r["prompt"]})
            for r in rows
        ]
        (Path(folder) / "in.jsonl").write_text("\n".join(lines))
        # Clips differ in size: a cold call is the mean over every fourth of the very clips of the batch.
        singles = [
            run("evaluate", str(options.clips / r["file"]), "--prompt", r["prompt"], home=home)[0] for r in rows[::4]
        ]
        one_s = sum(singles) / len(singles)
        batch_s, batch_mb = run("batch", f"{folder}/in.jsonl", "--output", f"{folder}/out.jsonl", home=home)
        result = {
            "cold_wall_s": cold_s,
            "cold_peak_rss_mb": cold_mb,
            "warm_5s_720p": warm(clip, home),
            "cold_single_s": one_s,
            "batch_clips": len(rows),
            "batch_s_per_clip": batch_s / len(rows),
            "batch_peak_rss_mb": batch_mb,
            "batch_over_cold": batch_s / len(rows) / one_s,
        }
    print(json.dumps(result, indent=None if options.json else 2))


if __name__ == "__main__":
    main()

"""Peak memory and speed of streaming a clip, against decoding it in the same process.

    python benchmarks/decode_memory.py [--seconds 60] [--width 1920] [--height 1080] [--rate 30] [--clip FILE]

Makes a clip with PyAV (or takes --clip) and reads it in three ways, each in a fresh process: streamed through
``Clip.frames`` into the two samplers that an evaluation uses, streamed only, and decoded to RGB arrays in the same
process. Prints a line of JSON for each: peak resident memory of the parent and of the decoder in MB, CPU and wall time
a frame in ms; then the peak of both together, and how the streamed decode compares with the one in process.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from dqa.clip.clip import Clip
from dqa.clip.limits import Limits
from dqa.clip.sampling import still_sampler, track_sampler


def make(path: Path, width: int, height: int, rate: int, seconds: float) -> None:
    """A pan over coarse noise: every pixel moves, as in a generated clip with a moving camera."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (height // 8 + 1, width // 4, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)[:height]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "ultrafast"}
        for n in range(round(rate * seconds)):
            left = 4 * n % width
            picture = np.ascontiguousarray(noise[:, left : left + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def stream_only(path: Path) -> int:
    return sum(1 for _ in Clip.open(path, Limits()).frames())


def stream_and_sample(path: Path) -> int:
    stills, track, count = still_sampler(), track_sampler(), 0
    for frame in Clip.open(path, Limits()).frames():
        stills.offer(frame)
        track.offer(frame)
        count += 1
    return count


def in_process(path: Path) -> int:
    """The yardstick: the same decoder settings, each frame as an RGB array, without a process between."""
    count = 0
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for frame in container.decode(video=0):
            count += int(frame.to_ndarray(format="rgb24", threads=1).size > 0)
    return count


def measured(work: Callable[[Path], int], path: Path) -> dict[str, float]:
    """Runs the work in a fresh process: peak memory counts from there."""
    parent, child = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_measure, args=(work, path, child))
    process.start()
    result: dict[str, float] = parent.recv()
    process.join()
    return result


def _measure(work: Callable[[Path], int], path: Path, answer: object) -> None:
    wall = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_SELF)
    frames = work(path)
    wall = time.perf_counter() - wall
    own, child = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    # Linux counts what the parent held when it started the child towards the child's peak: an upper bound.
    cpu = own.ru_utime + own.ru_stime - before.ru_utime - before.ru_stime
    answer.send(  # type: ignore[attr-defined]
        {
            "frames": frames,
            "parent_rss_mb": round(own.ru_maxrss / 1024, 1),
            "decoder_rss_mb": round(child.ru_maxrss / 1024, 1),
            "parent_cpu_ms": round(1000 * cpu / frames, 2),
            "decoder_cpu_ms": round(1000 * (child.ru_utime + child.ru_stime) / frames, 2),
            "wall_ms": round(1000 * wall / frames, 2),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--rate", type=int, default=30)
    parser.add_argument("--clip", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.clip or Path(folder) / "made.mp4"
        if options.clip is None:
            make(path, options.width, options.height, options.rate, options.seconds)
        results = {work.__name__: measured(work, path) for work in (stream_and_sample, stream_only, in_process)}
    for name, result in results.items():
        print(json.dumps({"what": name, **result}))
    piped, direct = results["stream_only"], results["in_process"]
    both = piped["parent_cpu_ms"] + piped["decoder_cpu_ms"]
    peak = results["stream_and_sample"]["parent_rss_mb"] + results["stream_and_sample"]["decoder_rss_mb"]
    print(
        json.dumps(
            {
                "peak_rss_mb": round(peak, 1),
                "wall_speed_over_in_process": round(direct["wall_ms"] / piped["wall_ms"], 2),
                "cpu_over_in_process": round(both / direct["parent_cpu_ms"], 2),
            }
        )
    )


if __name__ == "__main__":
    main()

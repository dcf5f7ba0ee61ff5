"""Mutated media: whatever the bytes, the answer is frames or an error of ours, soon, and only the child suffers."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from dqa.clip.clip import Clip
from dqa.clip.limits import Limits
from dqa.errors import InputError
from tests.children import children, forget_others
from tests.clip.media import animation, video

LIMITS = Limits(timeout_s=20, max_frames=500, max_pixels=2**20)


@pytest.fixture(autouse=True)
def _own_children() -> None:
    forget_others()


def seeds(folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    videos = {
        "mp4": video(folder / "a.mp4", 20, options={"g": "5"}),
        "fragmented": video(folder / "b.mp4", 20, container_options={"movflags": "frag_keyframe+empty_moov"}),
        "hevc": video(folder / "c.mp4", 8, codec="libx265"),
        "webm": video(folder / "a.webm", 10),
        "vp8": video(folder / "b.webm", 10, codec="libvpx"),
        "mov": video(folder / "a.mov", 8, codec="mjpeg", pixel_format="yuvj420p"),
    }
    pictures = {name: animation(folder / f"a.{name}", 4) for name in ("gif", "webp", "png")}
    return {name: path.read_bytes() for name, path in {**videos, **pictures}.items()}


def mutate(data: bytes, rng: random.Random) -> bytes:
    """A few changes of one kind: bytes, runs, lengths (big-endian numbers), cuts, copies."""
    out = bytearray(data)
    kind = rng.choice(["bytes", "header", "number", "run", "cut", "delete", "copy"])
    for _ in range(rng.choice([1, 3, 10])):
        at = rng.randrange(len(out) if kind != "header" else min(len(out), 200))
        length = rng.randrange(1, 64)
        if kind in ("bytes", "header"):
            out[at] = rng.randrange(256)
        elif kind == "number":
            out[at : at + 4] = rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1]).to_bytes(4, "big")
        elif kind == "run":
            out[at : at + length] = rng.choice([b"\0", b"\xff"]) * length
        elif kind == "cut":
            del out[max(1, at) :]
        elif kind == "delete":
            del out[max(1, at) : at + length]
        else:
            out[at:at] = out[at : at + length]
    return bytes(out)


def survive(name: str, data: bytes, count: int, folder: Path) -> Counter[str]:
    rng = random.Random(name)
    outcomes: Counter[str] = Counter()
    path = folder / "mutant.mp4"
    for _ in range(count):
        path.write_bytes(mutate(data, rng))
        began = time.monotonic()
        try:
            clip = Clip.open(path, LIMITS)
            times = [frame.time_s for frame in clip.frames()]
            assert times == sorted(set(times))
            assert clip.media.frames == len(times)
            outcomes["frames"] += 1
        except InputError as error:
            outcomes["hang" if "took longer" in error.what else type(error).__name__] += 1
        assert time.monotonic() - began < 60
    assert outcomes["hang"] == 0
    assert children() == []
    return outcomes


KINDS = ["mp4", "fragmented", "hevc", "webm", "vp8", "mov", "gif", "webp", "png"]


@pytest.mark.parametrize("name", KINDS)
def test_a_few_mutants(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = seeds(tmp_path / "seeds")[name]
    capfd.readouterr()
    outcomes = survive(name, data, 8, tmp_path)
    assert outcomes.total() == 8
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_hundreds_of_mutants(name: str, tmp_path: Path) -> None:
    outcomes = survive(f"{name} at length", seeds(tmp_path / "seeds")[name], 30, tmp_path)
    assert outcomes.total() == 30, outcomes
    # A fuzzer whose mutants all fail at the door, or all pass, tests nothing.
    assert outcomes["frames"] > 2
    assert outcomes.total() - outcomes["frames"] > 2

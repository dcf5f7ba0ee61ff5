"""The decoder process: what it may do, and what its parent does when it misbehaves."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from dqa.clip import process as process_module
from dqa.clip.clip import Clip
from dqa.clip.limits import Limits
from dqa.clip.protocol import Code
from dqa.clip.refusals import refusal
from dqa.errors import Cancelled, InputError, UnavailableError, Undecodable
from tests.children import children, forget_others
from tests.clip.media import video

LIMITS = Limits(timeout_s=20)


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return Clip.open(video(tmp_path / "a.mp4", 40), LIMITS)


@pytest.fixture(autouse=True)
def _own_children() -> None:
    forget_others()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


CONFINED = """
import os, resource, socket, sys
from dqa.clip import confine
confine.bound(2**30, 7)
confine.lock()
for act in (lambda: open("/etc/passwd"), lambda: socket.socket(), lambda: os.dup(0), lambda: os.pipe()):
    try:
        act()
    except OSError:
        print("refused")
    else:
        print("allowed")
try:
    bytearray(2**31)
except MemoryError:
    print("memory")
print(resource.getrlimit(resource.RLIMIT_CPU), resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_a_confined_process_can_open_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", CONFINED], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:6] == ["refused"] * 4 + ["memory", "(7, 7) (0, 0)"]


def test_the_decoder_gets_no_secrets() -> None:
    environ = {"DQA_TOKEN": "t", "AWS_SECRET": "s", "HOME": "/root", "LD_LIBRARY_PATH": "/lib", "PYTHONPATH": "/p"}
    passed = process_module._environment(environ)
    assert set(passed) == {"LD_LIBRARY_PATH", "PYTHONPATH", "OMP_NUM_THREADS", "PYTHONDONTWRITEBYTECODE"}
    assert passed["PYTHONPATH"].endswith(os.pathsep + "/p")


def test_a_folder_can_not_smuggle_code_into_the_decoder(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "av.py").write_text("raise SystemExit('smuggled')")
    monkeypatch.chdir(tmp_path)
    assert sum(1 for _ in clip.frames()) == 40


def test_the_decoder_loads_no_model_code_and_starts_light() -> None:
    code = "import sys, dqa.clip.decoder, dqa.clip.video, dqa.clip.picture; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "cv2", "pydantic", "asyncio", "ssl"} & set(loaded)


def test_nothing_is_left_behind(clip: Clip, capfd: pytest.CaptureFixture[str]) -> None:
    gc.collect()  # what earlier tests left to be collected is not this one's
    before = descriptors()
    for _ in range(3):
        frames = clip.frames()
        next(frames)
        assert len(children()) == 1
        frames.close()
        assert children() == []
    list(clip.frames())
    frames = clip.frames()
    next(frames)
    del frames
    gc.collect()
    assert children() == []
    assert descriptors() == before
    assert capfd.readouterr() == ("", "")


def test_a_killed_decoder_is_an_error_and_the_parent_lives(tmp_path: Path) -> None:
    clip = Clip.open(video(tmp_path / "long.mp4", 150), LIMITS)  # more frames than the pipe holds
    frames = clip.frames()
    next(frames)
    children()[0].kill()
    with pytest.raises(Undecodable):
        list(frames)
    assert sum(1 for _ in clip.frames()) == 150


def test_cancel_ends_a_waiting_reader_at_once(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "_COMMAND", (sys.executable, "-c", "import time; time.sleep(60)"))
    threading.Timer(0.3, clip.cancel).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        next(clip.frames())
    assert time.monotonic() - began < 50, "the reader alone would wait for 60"
    with pytest.raises(Cancelled):
        next(clip.frames())
    assert children() == []


def test_a_decoder_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "_COMMAND", (sys.executable, "-c", "import time; time.sleep(60)"))
    clip = Clip.open(video(tmp_path / "a.mp4"), Limits(timeout_s=0.5))
    with pytest.raises(Undecodable, match=r"took longer than 0\.5 s; .*DQA_DECODE_TIMEOUT_S"):
        next(clip.frames())
    assert children() == []


def test_a_slow_reader_does_not_use_up_the_decoders_time(tmp_path: Path) -> None:
    clip = Clip.open(video(tmp_path / "a.mp4", 4), Limits(timeout_s=10))
    frames = clip.frames()
    next(frames)
    time.sleep(0.5)
    assert len(list(frames)) == 3


def test_a_missing_package_is_not_blamed_on_the_file(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    # Stand-ins for PyAV: one that is not there, as after a plain "pip install dqa".
    code = "import sys; sys.modules['av'] = None; from dqa.clip.decoder import main; sys.exit(main(sys.argv[1]))"
    monkeypatch.setattr(process_module, "_COMMAND", (sys.executable, "-c", code))
    with pytest.raises(UnavailableError, match=r"pip install 'dqa\[embedded\]'"):
        next(clip.frames())


def test_a_decoder_whose_parent_was_killed_ends_by_itself(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4", 400)
    code = (
        "import os, sys; from dqa.clip.clip import Clip; from dqa.clip.limits import Limits; import psutil\n"
        "frames = Clip.open(sys.argv[1], Limits()).frames(); next(frames)\n"
        "print(psutil.Process().children()[0].pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.returncode == -9
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(done.stdout)).wait(timeout=20)


HOSTILE = {
    "garbage": "out(b'\\xa5' * 500)",
    "nothing": "pass",
    "text": "out(b'Traceback (most recent call last):' * 10)",
    "a frame before the head": "frame(0, 0.0)",
    "too many pixels": "head(60000, 60000)",
    "an endless payload": "head(96, 64); out(HEADER.pack(MAGIC, 2, 0, 2**62, 0.0))",
    "a frame of another size": "head(96, 64); out(HEADER.pack(MAGIC, 2, 0, 12, 0.0) + bytes(12))",
    "a frame cut off": "head(96, 64); out(HEADER.pack(MAGIC, 2, 0, 96*64*3, 0.0) + bytes(12))",
    "the wrong index": "head(96, 64); frame(5, 0.0)",
    "time running back": "head(96, 64); frame(0, 1.0); frame(1, 0.5)",
    "no time": "head(96, 64); frame(0, float('nan'))",
    "endless time": "head(96, 64); frame(0, float('inf'))",
    "an end without a frame": "head(96, 64); control(4 - 1, corrupt_packets=0, rate=1.0, tail_s=0.0)",
    "an end of the wrong form": "head(96, 64); frame(0, 0.0); control(3, corrupt_packets=-1, rate=1.0, tail_s=0.0)",
    "a second head": "head(96, 64); head(96, 64)",
    "an error of its own words": "control(4, code='<script>alert(1)</script>')",
    "deep JSON": "out(HEADER.pack(MAGIC, 1, 0, 4000, 0.0) + b'[' * 4000)",
    "dead without a word": "head(96, 64); frame(0, 0.0); os.kill(os.getpid(), 11)",
}
CHILD = """
import json, os, sys
from dqa.clip.protocol import HEADER, MAGIC
out = lambda data: os.write(1, data)
def control(kind, **fields):
    data = json.dumps(fields).encode()
    out(HEADER.pack(MAGIC, kind, 0, len(data), 0.0) + data)
head = lambda w, h: control(1, width=w, height=h, sent_width=w, sent_height=h)
frame = lambda index, time_s: out(HEADER.pack(MAGIC, 2, index, 96 * 64 * 3, time_s) + bytes(96 * 64 * 3))
"""


@pytest.mark.parametrize("name", HOSTILE)
def test_a_decoder_turned_hostile_is_not_believed(name: str, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "_COMMAND", (sys.executable, "-c", f"{CHILD}\n{HOSTILE[name]}"))
    with pytest.raises(Undecodable) as caught:
        list(clip.frames())
    assert "script" not in str(caught.value)
    with pytest.raises(RuntimeError):
        _ = clip.media
    assert children() == []


@pytest.mark.parametrize("code", Code)
def test_every_word_of_the_decoder_is_a_sentence_with_a_way_out(code: Code) -> None:
    error = refusal(code, LIMITS, "/secret/a.mp4")
    assert isinstance(error, InputError)
    assert error.fix
    assert "/secret" not in error.public()
    assert "/secret/a.mp4" in error.sentence()

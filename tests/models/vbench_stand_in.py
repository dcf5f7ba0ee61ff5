"""A stand-in for the vbench environment: this Python, and a ``vbench`` whose flicker does as it is told.

The clip's text says what: a number is VBench's number; ``nan``, ``empty``, ``raise``, ``fetch``, ``connect``, ``end``
and ``hang PIDFILE`` are trouble.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

from dqa.models.vbench_env.environment import VBenchEnvironment, listing

_FLICKER = """
import os, socket, subprocess, sys, time

def temporal_flickering(videos):
    words = open(videos[0]).read().split()
    print("VBench prints to stdout")
    if words[0] == "raise":
        raise AssertionError(f"no frames in {videos[0]} of {os.environ['VBENCH_CACHE_DIR']}")
    if words[0] == "fetch":
        subprocess.run(["wget", "-q", "http://127.0.0.1:9/weights"], check=True)
    if words[0] == "connect":
        socket.create_connection(("127.0.0.1", 9))
    if words[0] == "end":
        os._exit(3)
    if words[0] == "hang":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open(words[1], "w").write(str(child.pid))
        time.sleep(600)
    if words[0] == "environment":
        return 0, [{"video_results": float("DQA_TOKEN" in os.environ)}]
    if words[0] == "empty":
        return 0, []
    return 0, [{"video_path": videos[0], "video_results": float(words[0])}]
"""


def stand_in(home: Path, *, non_commercial: bool = False) -> VBenchEnvironment:
    """Lays it out in ``home``, finished."""
    environment = VBenchEnvironment(home)
    packages = environment.folder / "packages"
    (packages / "vbench").mkdir(parents=True)
    (packages / "vbench" / "__init__.py").write_text("")
    (packages / "vbench" / "temporal_flickering.py").write_text(_FLICKER)
    (packages / "vbench-0.1.5.dist-info").mkdir()
    (packages / "vbench-0.1.5.dist-info" / "METADATA").write_text("Name: vbench\nVersion: 0.1.5\n")
    environment.python.parent.mkdir()
    # -P, which the runner is started with, hides the script's folder but not this.
    environment.python.write_text(
        f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(packages))} exec {shlex.quote(sys.executable)} "$@"\n'
    )
    environment.python.chmod(0o755)
    environment.weights.mkdir()
    kept = {"list": listing()[1], "non_commercial": non_commercial}
    (environment.folder / "dqa.json").write_text(json.dumps(kept))
    return environment


def told(folder: Path, text: str) -> Path:
    """A "clip" that says what VBench is to do."""
    path = folder / "person is dancing-0; $(reboot).webm"
    path.write_text(text)
    return path
